// Exports of other programs, and our own: from text to conversations.
#include <algorithm>
#include <functional>

#include "base/strings.h"
#include "serve/history/history.h"

namespace jevons {
namespace {

using Conversations = std::vector<ImportedConversation>;

std::string text_at(const Json& object, std::string_view key) {
  const auto* value = object.find(key);
  return value && value->is_string() ? value->as_string() : std::string();
}

std::optional<std::string> optional_text(const Json& object, std::string_view key) {
  const auto* value = object.find(key);
  if (!value || value->is_null()) return std::nullopt;
  return value->as_string();
}

double time_at(const Json& object, std::string_view key) {
  const auto* value = object.find(key);
  return value && value->is_number() ? value->as_double() : 0;
}

bool flag_at(const Json& object, std::string_view key) {
  const auto* value = object.find(key);
  return value && value->is_bool() && value->as_bool();
}

Json copy_of(const Json& object, std::string_view key) {
  const auto* value = object.find(key);
  return value ? *value : Json();
}

// --- Jevons: a line is {"format":"jevons-history","version":1,"conversation":{...},"messages":[...]} ---

ImportedConversation read_own(const Json& line) {
  if (line.at("version").as_int() != 1)
    throw Error(Code::unsupported,
                cat("an export of version ", line.at("version").as_int(), "; this Jevons reads version 1"));
  const auto& c = line.at("conversation");
  ImportedConversation out;
  out.conversation = {.id = c.at("id").as_string(),
                      .title = c.at("title").as_string(),
                      .model = text_at(c, "model"),
                      .created = time_at(c, "created"),
                      .updated = time_at(c, "updated"),
                      .head = optional_text(c, "head"),
                      .pinned = flag_at(c, "pinned"),
                      .archived = flag_at(c, "archived"),
                      .settings = c.find("settings") ? c.at("settings") : Json::object()};
  for (const auto& m : line.at("messages").as_array())
    out.messages.push_back({.id = m.at("id").as_string(),
                            .parent = optional_text(m, "parent"),
                            .role = m.at("role").as_string(),
                            .content = m.at("content").as_string(),
                            .reasoning = optional_text(m, "reasoning_content"),
                            .model = optional_text(m, "model"),
                            .finish_reason = optional_text(m, "finish_reason"),
                            .attachments = copy_of(m, "attachments"),
                            .usage = copy_of(m, "usage"),
                            .timings = copy_of(m, "timings"),
                            .trace = copy_of(m, "trace"),
                            .created = time_at(m, "created")});
  return out;
}

// --- trees of foreign exports: nodes by id, each with a parent; some nodes carry no message ---

struct Node {
  std::string id, parent;
  std::optional<Message> message;
  std::string thought;  // belongs to the next assistant message
};

// Parents first, in the order of the export; a node without a message hands its parent (and thought) on.
void flatten(const std::vector<Node>& nodes, const std::string& current, ImportedConversation& out) {
  std::map<std::string, const Node*> by_id;
  std::map<std::string, std::vector<const Node*>> children;
  for (const auto& node : nodes)
    if (!by_id.emplace(node.id, &node).second)
      throw Error(Code::invalid, cat("the node ", quote(node.id), " occurs twice"));
  std::vector<const Node*> roots;
  for (const auto& node : nodes)
    if (node.parent.empty() || !by_id.count(node.parent))
      roots.push_back(&node);
    else
      children[node.parent].push_back(&node);
  struct Open {
    const Node* node;
    std::optional<std::string> parent;
    std::string thought;
  };
  std::vector<Open> open;
  size_t seen = 0;
  for (auto it = roots.rbegin(); it != roots.rend(); ++it) open.push_back({*it, std::nullopt, {}});
  while (!open.empty()) {
    auto [node, parent, thought] = std::move(open.back());
    open.pop_back();
    ++seen;
    thought += node->thought;
    if (node->message) {
      auto message = *node->message;
      message.id = node->id;
      message.parent = parent;
      if (message.role == "assistant" && !thought.empty()) message.reasoning = std::exchange(thought, {});
      parent = node->id;
      out.messages.push_back(std::move(message));
    }
    if (node->id == current) out.conversation.head = parent;
    auto& below = children[node->id];
    for (auto it = below.rbegin(); it != below.rend(); ++it) open.push_back({*it, parent, thought});
  }
  if (seen != nodes.size()) throw Error(Code::invalid, "its messages form a circle");
}

// --- ChatGPT: conversations.json ---

void read_chatgpt_message(const Json& m, Node& node, int64_t& left_out) {
  const auto role = text_at(m.at("author"), "role");
  const auto* content = m.find("content");
  if (!content || !content->is_object()) return;
  const auto type = text_at(*content, "content_type");
  if (type == "thoughts") {
    if (const auto* thoughts = content->find("thoughts"))
      for (const auto& thought : thoughts->as_array()) node.thought += text_at(thought, "content") + "\n";
    return;
  }
  std::string text = text_at(*content, "text");
  if (const auto* parts = content->find("parts"))
    for (const auto& part : parts->as_array()) {
      if (part.is_string())
        text += (text.empty() ? "" : "\n") + part.as_string();
      else
        ++left_out;
    }
  if (text.empty()) return;
  if (role != "user" && role != "assistant" && role != "system") {
    ++left_out;
    return;
  }
  Message message{.role = role, .content = text, .created = time_at(m, "create_time")};
  if (const auto* metadata = m.find("metadata"); metadata && !text_at(*metadata, "model_slug").empty())
    message.model = text_at(*metadata, "model_slug");
  node.message = std::move(message);
}

ImportedConversation read_chatgpt(const Json& c, int64_t& left_out) {
  ImportedConversation out;
  const auto id = text_at(c, "conversation_id").empty() ? text_at(c, "id") : text_at(c, "conversation_id");
  out.conversation = {.id = id.empty() ? "" : "chatgpt-" + id,
                      .title = text_at(c, "title"),
                      .created = time_at(c, "create_time"),
                      .updated = time_at(c, "update_time"),
                      .archived = flag_at(c, "is_archived")};
  std::vector<Node> nodes;
  for (const auto& [key, value] : c.at("mapping").as_object()) {
    Node node{.id = key, .parent = text_at(value, "parent"), .message = {}, .thought = {}};
    if (const auto* m = value.find("message"); m && m->is_object()) read_chatgpt_message(*m, node, left_out);
    nodes.push_back(std::move(node));
  }
  flatten(nodes, text_at(c, "current_node"), out);
  return out;
}

// --- Open WebUI: the export of all chats ---

ImportedConversation read_open_webui(const Json& c, int64_t& left_out) {
  const auto& chat = c.at("chat");
  ImportedConversation out;
  out.conversation = {.id = text_at(c, "id").empty() ? "" : "openwebui-" + text_at(c, "id"),
                      .title = text_at(c, "title").empty() ? text_at(chat, "title") : text_at(c, "title"),
                      .created = time_at(c, "created_at"),
                      .updated = time_at(c, "updated_at"),
                      .pinned = flag_at(c, "pinned"),
                      .archived = flag_at(c, "archived")};
  std::vector<Node> nodes;
  const auto& history = chat.at("history");
  for (const auto& [key, value] : history.at("messages").as_object()) {
    Node node{.id = key, .parent = text_at(value, "parentId"), .message = {}, .thought = {}};
    const auto role = text_at(value, "role");
    const auto* content = value.find("content");
    if (content && content->is_string() && (role == "user" || role == "assistant" || role == "system")) {
      node.message = Message{.role = role, .content = content->as_string(), .created = time_at(value, "timestamp")};
      if (!text_at(value, "model").empty()) node.message->model = text_at(value, "model");
    } else {
      ++left_out;
    }
    if (const auto* files = value.find("files"); files && files->size() > 0)
      left_out += static_cast<int64_t>(files->size());
    nodes.push_back(std::move(node));
  }
  flatten(nodes, text_at(history, "currentId"), out);
  return out;
}

// --- which of them ---

Error nothing_imported(const std::string& where, const std::string& why, Code code = Code::invalid) {
  return {code, cat(where, ": ", why, "; nothing was imported")};
}

Result<Conversations> read_lines(std::string_view text) {
  Conversations out;
  for (int64_t line = 1; !text.empty(); ++line) {
    const auto bytes = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(bytes.size() + 1, text.size()));
    if (bytes.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto where = cat("line ", line);
    const auto json = Json::parse(bytes);
    if (!json.ok()) return nothing_imported(where, json.error().message());
    if (text_at(*json, "format") != "jevons-history")
      return nothing_imported(where, "expected an object with \"format\":\"jevons-history\"");
    try {
      out.push_back(read_own(*json));
    } catch (const Error& error) {
      return nothing_imported(where, error.message());
    }
  }
  return out;
}

Result<Conversations> read_list(const Json::Array& list, int64_t& left_out) {
  Conversations out;
  for (size_t i = 0; i < list.size(); ++i) {
    const auto where = cat("conversation ", i + 1);
    try {
      if (list[i].find("mapping"))
        out.push_back(read_chatgpt(list[i], left_out));
      else if (list[i].find("chat"))
        out.push_back(read_open_webui(list[i], left_out));
      else
        return nothing_imported(where,
                                "is neither from ChatGPT (it has no \"mapping\") nor from Open WebUI (no \"chat\")");
    } catch (const Error& error) {
      return nothing_imported(where, error.message());
    }
  }
  return out;
}

}  // namespace

Result<Conversations> read_export(std::string_view text, int64_t& left_out) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return nothing_imported("the file", "it is empty");
  if (text[first] != '[') return read_lines(text);
  const auto list = Json::parse(text);
  if (!list.ok()) return nothing_imported("the file", list.error().message());
  return read_list(list->as_array(), left_out);
}

}  // namespace jevons
