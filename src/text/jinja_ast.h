// The syntax tree of a chat template.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja_value.h"

namespace jevons::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

// One expression; what `name`, `args` and `kwargs` hold depends on the kind.
struct Expr {
  enum class Kind {
    literal,      // value
    name,         // name
    list,         // args
    tuple,        // args
    dict,         // args: key, value, key, value, ...
    attribute,    // args[0] . name
    item,         // args[0] [ args[1] ]
    slice,        // args[0] [ args[1] : args[2] : args[3] ], each may be null
    call,         // args[0] ( args[1..], kwargs )
    filter,       // args[0] | name ( args[1..], kwargs ); args[0] is null inside a filter block
    test,         // args[0] is name ( args[1..] )
    logic_not,    // args[0]
    logic_and,    // args[0], args[1]
    logic_or,     // args[0], args[1]
    unary,        // name ("+", "-") args[0]
    binary,       // args[0] name args[1]
    compare,      // args[0] ops[0] args[1] ops[1] args[2] ...
    concat,       // args joined as text
    conditional,  // args[0] if args[1] else args[2], which may be null
  };
  Kind kind;
  int line;
  std::string name = {};
  Value value = {};
  std::vector<ExprPtr> args = {};
  std::vector<std::pair<std::string, ExprPtr>> kwargs = {};
  std::vector<std::string> ops = {};
};

struct Stmt;
using Body = std::vector<Stmt>;

struct Stmt {
  enum class Kind {
    text,          // name: the text
    print,         // expr
    condition,     // if expr: body, else: other (an elif is a condition in `other`)
    loop,          // for target in expr if filter: body, else: other
    set,           // target = expr
    set_block,     // target = body, through expr (filters) if there is one
    macro,         // name, target (the parameters' names), defaults (of the last parameters), body
    scope,         // with targets = defaults: body; a generation block has none
    filter_block,  // body through expr
    leave,         // break
    next,          // continue
  };
  Kind kind;
  int line;
  std::string name = {};
  ExprPtr target = {}, expr = {}, filter = {};  // target: a name, a tuple of targets, or namespace attribute
  std::vector<ExprPtr> targets = {}, defaults = {};
  Body body = {}, other = {};
};

}  // namespace jevons::jinja
