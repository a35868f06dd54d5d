#include "cli/jsonpath.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;
using Nodes = std::vector<const json*>;

constexpr std::size_t kMaxExpressionBytes = 4096;
constexpr int kMaxDepth = 16;

Error Wrong(std::string_view what) {
  return {ErrorCode::kInvalid, fmt::format("-o jsonpath: {}", what)};
}

std::string Text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Nodes Child(const Nodes& from, const std::string& key) {
  Nodes to;
  for (const json* node : from) {
    if (key == "*") {
      if (node->is_structured())
        for (const json& child : *node) to.push_back(&child);
    } else if (node->is_object()) {
      const auto found = node->find(key);
      if (found != node->end()) to.push_back(&*found);
    }
  }
  return to;
}

Result<Nodes> Bracket(const Nodes& from, std::string_view inside) {
  if (inside == "*") return Child(from, "*");
  if (inside.size() >= 2 && (inside.front() == '\'' || inside.front() == '"') &&
      inside.substr(1).find(inside.front()) == inside.size() - 2) {
    return Child(from, std::string(inside.substr(1, inside.size() - 2)));
  }
  long index = 0;
  const auto [end, error] = std::from_chars(inside.data(), inside.data() + inside.size(), index);
  if (error != std::errc() || end != inside.data() + inside.size())
    return Wrong(fmt::format("[{}] is not an index, a quoted key or *", inside));
  Nodes to;
  for (const json* node : from) {
    if (!node->is_array()) continue;
    const long size = static_cast<long>(node->size());
    const long at = index < 0 ? size + index : index;
    if (at >= 0 && at < size) to.push_back(&(*node)[static_cast<std::size_t>(at)]);
  }
  return to;
}

Result<Nodes> Walk(const json& root, std::string_view path) {
  Nodes nodes{&root};
  if (path.starts_with('$') || path.starts_with('@')) path.remove_prefix(1);
  while (!path.empty()) {
    if (path.front() == '[') {
      const std::size_t end = path.find(']');
      if (end == std::string_view::npos) return Wrong("a [ without ]");
      HSM_TRY(nodes, Bracket(nodes, path.substr(1, end - 1)));
      path.remove_prefix(end + 1);
    } else if (path.front() == '.') {
      path.remove_prefix(1);
      std::string key;
      while (!path.empty() && path.front() != '.' && path.front() != '[') {
        if (path.front() == '\\' && path.size() > 1)
          path.remove_prefix(1);  // as in metadata.labels.a\.b
        key += path.front();
        path.remove_prefix(1);
      }
      if (key.empty() && path.starts_with('.'))
        return Wrong("..name is not supported; name every step, as in .items[*].name");
      if (!key.empty()) nodes = Child(nodes, key);
    } else {
      return Wrong(fmt::format("\"{}\" must begin with . or [", path));
    }
  }
  return nodes;
}

Result<std::string> Quoted(std::string_view text) {
  std::string out;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] != '\\' || i + 2 >= text.size()) {
      out += text[i];
      continue;
    }
    ++i;
    out += text[i] == 'n' ? '\n' : text[i] == 't' ? '\t' : text[i];
  }
  return out;
}

// The end of the {…} that begins at `at`, quotes skipped.
std::size_t EndOfBraces(std::string_view text, std::size_t at) {
  char quote = 0;
  for (; at < text.size(); ++at) {
    if (quote != 0) {
      if (text[at] == '\\')
        ++at;
      else if (text[at] == quote)
        quote = 0;
    } else if (text[at] == '"' || text[at] == '\'') {
      quote = text[at];
    } else if (text[at] == '}') {
      return at;
    }
  }
  return std::string_view::npos;
}

Result<std::string> Evaluate(std::string_view& text, const json& root, bool in_range, int depth);

Result<std::string> Range(std::string_view& text, std::string_view path, const json& root,
                          int depth) {
  HSM_TRY(const Nodes nodes, Walk(root, path));
  std::string out;
  std::string_view after = text;
  for (const json* node : nodes) {
    std::string_view body = text;
    HSM_TRY(const std::string piece, Evaluate(body, *node, true, depth + 1));
    out += piece;
    after = body;
  }
  if (nodes.empty()) {
    HSM_TRY(const std::string skipped, Evaluate(after, json(nullptr), true, depth + 1));
    (void)skipped;  // only to find the end
  }
  text = after;
  return out;
}

Result<std::string> Evaluate(std::string_view& text, const json& root, bool in_range, int depth) {
  if (depth > kMaxDepth) return Wrong("nested too deep");
  std::string out;
  while (!text.empty()) {
    if (text.front() != '{') {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::size_t end = EndOfBraces(text, 1);
    if (end == std::string_view::npos) return Wrong("a { without }");
    std::string_view inside = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    while (inside.starts_with(' ')) inside.remove_prefix(1);
    while (inside.ends_with(' ')) inside.remove_suffix(1);
    if (inside == "end") {
      if (!in_range) return Wrong("{end} without {range}");
      return out;
    }
    if (inside.starts_with("range ")) {
      HSM_TRY(const std::string piece, Range(text, inside.substr(6), root, depth));
      out += piece;
    } else if (inside.starts_with('"') || inside.starts_with('\'')) {
      HSM_TRY(const std::string piece, Quoted(inside));
      out += piece;
    } else {
      HSM_TRY(const Nodes nodes, Walk(root, inside));
      for (std::size_t i = 0; i < nodes.size(); ++i) out += (i == 0 ? "" : " ") + Text(*nodes[i]);
    }
  }
  if (in_range) return Wrong("{range} without {end}");
  return out;
}

}  // namespace

Result<std::string> EvaluateJsonPath(std::string_view expression, const json& document) {
  if (expression.size() > kMaxExpressionBytes)
    return Wrong(fmt::format("longer than {} bytes", kMaxExpressionBytes));
  const std::string braced = expression.find('{') == std::string_view::npos
                                 ? fmt::format("{{{}}}", expression)
                                 : std::string(expression);
  std::string_view text = braced;
  return Evaluate(text, document, false, 0);
}

}  // namespace hsmops::cli
