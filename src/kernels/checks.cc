#include "kernels/checks.h"

#include "base/strings.h"

namespace jevons {
namespace {

void check_cache(const KvLayer& cache) {
  require(cache.key && cache.page_tokens > 0 && cache.heads > 0 && cache.key_width > 0 && cache.value_width > 0,
          "the cache of the layer is not set up: key, page_tokens, heads, key_width and value_width are needed");
  require(cache.value || cache.value_width <= cache.key_width,
          "a latent cache holds its values in its keys: value_width must not exceed key_width");
}

}  // namespace

void require(bool good, const char* what) {
  if (!good) throw Error(Code::invalid, what);
}

void check_embed(const EmbedArgs& args) {
  const auto [tokens, width] = args.out.dims<2>();
  require(args.table->stack() == 1 && args.table->cols == width, "embed: the table must be one matrix [V, D]");
  require(args.table->layout == Layout::rows, "embed: the table must be stored row by row, not in panels");
  for (int64_t n = 0; n < tokens; ++n)
    if (args.ids[n] < 0 || args.ids[n] >= args.table->rows)
      throw Error(Code::invalid, cat("embed: token id ", args.ids[n], " at place ", n, " of the step; the table ",
                                     args.table->name, " has ids 0 to ", args.table->rows - 1));
}

void check_rms_norm(const RmsNormArgs& args) {
  const auto [tokens, width] = args.x.dims<2>();
  require(args.weight.numel() == width && args.out.numel() == tokens * width,
          "rms_norm: the weight must have the width of x, and the output its shape");
}

void check_add(const AddArgs& args) {
  require(args.a.numel() == args.b.numel() && args.a.numel() == args.out.numel(), "add: the three sizes must agree");
}

void check_rope(const RopeArgs& args) {
  const auto [tokens, heads, width] = args.x.dims<3>();
  const auto [rows, pairs] = args.cos.dims<2>();
  require(rows == tokens && args.sin.shape() == args.cos.shape(), "rope: cos and sin must be [tokens, pairs]");
  require(args.begin >= 0 && args.begin + 2 * pairs <= width, "rope: the rotated numbers must lie within a head");
}

void check_route(const RouteArgs& args) {
  const auto [tokens, experts] = args.logits.dims<2>();
  const auto [rows, slots] = args.ids.dims<2>();
  require(rows == tokens && args.weights.shape() == args.ids.shape(), "route: ids and weights must be [tokens, slots]");
  require(!args.bias || args.bias.numel() == experts, "route: one bias per expert");
  require(args.groups > 0 && args.top_groups > 0 && args.top_groups <= args.groups && experts % args.groups == 0,
          "route: the groups must divide the experts, and 1 <= top_groups <= groups");
  require(slots > 0 && slots <= experts / args.groups * args.top_groups,
          "route: there are fewer experts in the chosen groups than slots");
}

void check_kv_store(const KvStoreArgs& args) {
  const auto [tokens, heads, width] = args.k.dims<3>();
  const KvLayer& c = args.cache;
  check_cache(c);
  require(tokens == args.batch.tokens && heads == c.heads && width == c.key_width,
          "kv_store: keys must be [tokens, heads, key_width]");
  require(static_cast<bool>(args.v) == (c.value != nullptr),
          "kv_store: values come with a cache that stores them, and only then");
  require(!args.v || args.v.numel() == tokens * heads * c.value_width,
          "kv_store: values must be [tokens, heads, value_width]");
}

void check_attend(const AttendArgs& args) {
  const auto [tokens, heads, width] = args.q.dims<3>();
  const KvLayer& c = args.cache;
  check_cache(c);
  require(tokens == args.batch.tokens && width == c.key_width, "attend: queries must be [tokens, heads, key_width]");
  require(heads % c.heads == 0, "attend: the kv heads must divide the query heads");
  require(args.out.numel() == tokens * heads * c.value_width,
          "attend: the output must be [tokens, heads, value_width]");
}

}  // namespace jevons
