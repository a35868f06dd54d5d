#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/yaml.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Words that some reader takes for null or a truth value, in any case.
bool IsReserved(std::string_view text) {
  constexpr std::array<std::string_view, 11> kWords = {"y",     "yes", "true", "on",  "n",  "no",
                                                       "false", "off", "null", "nan", "inf"};
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return std::ranges::find(kWords, lower) != kWords.end();
}

// Begins with a letter, '/' or '_' and goes on with what has no meaning anywhere in YAML: no reader
// takes that for a number, a date or syntax. Everything else is quoted, needed or not.
bool MayBePlain(std::string_view text) {
  if (text.empty() || text.size() > 256) return false;
  if (!IsLetter(text.front()) && text.front() != '/' && text.front() != '_') return false;
  const bool plain = std::ranges::all_of(text, [](char c) {
    return IsLetter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' || c == '-';
  });
  return plain && !IsReserved(text);
}

// Characters that JSON leaves as they are and YAML 1.1 takes for line breaks or refuses.
void EscapeInto(std::string& out, std::string_view quoted) {
  struct Escape {
    std::string_view raw;
    std::string_view written;
  };
  static constexpr Escape kEscapes[] = {{"\x7f", "\\x7F"},           {"\xc2\x85", "\\x85"},
                                        {"\xe2\x80\xa8", "\\u2028"}, {"\xe2\x80\xa9", "\\u2029"},
                                        {"\xef\xbb\xbf", "\\uFEFF"}, {"\xef\xbf\xbe", "\\uFFFE"},
                                        {"\xef\xbf\xbf", "\\uFFFF"}};
  while (!quoted.empty()) {
    const auto* const found = std::ranges::find_if(
        kEscapes, [&](const Escape& escape) { return quoted.starts_with(escape.raw); });
    if (found != std::end(kEscapes)) {
      out += found->written;
      quoted.remove_prefix(found->raw.size());
    } else {
      out += quoted.front();
      quoted.remove_prefix(1);
    }
  }
}

class YamlWriter {
 public:
  Result<std::string> Write(const json& value) && {
    Block(value, 0, 0);
    if (error_) return *error_;
    if (out_.empty() || out_.back() != '\n') out_ += '\n';
    return std::move(out_);
  }

 private:
  void Text(const std::string& text) {
    if (MayBePlain(text)) {
      out_ += text;
    } else if (!base::IsUtf8(text)) {
      Fail(ErrorCode::kInvalid, "text that is not UTF-8");
    } else {
      EscapeInto(out_, json(text).dump());
    }
  }

  void Fail(ErrorCode code, std::string_view what) {
    if (!error_) error_ = Error(code, fmt::format("cannot be written as YAML: {}", what));
  }

  static bool IsBlock(const json& value) { return value.is_structured() && !value.empty(); }

  void Scalar(const json& value) {
    if (value.is_string()) return Text(value.get_ref<const std::string&>());
    if (value.is_object()) {
      out_ += "{}";
    } else if (value.is_array()) {
      out_ += "[]";
    } else {
      out_ += value.dump();
    }
  }

  // The cursor stands where the value's first line goes on; `indent` is for the lines after it.
  void Block(const json& value, std::size_t indent, std::size_t depth) {
    if (value.is_structured() && depth >= kMaxYamlDepth)
      return Fail(ErrorCode::kLimit, fmt::format("nested deeper than {}", kMaxYamlDepth));
    if (!IsBlock(value)) {
      Scalar(value);
      out_ += '\n';
    } else if (value.is_array()) {
      List(value, indent, depth);
    } else {
      Map(value, indent, depth);
    }
  }

  void List(const json& value, std::size_t indent, std::size_t depth) {
    bool first = true;
    for (const json& item : value) {
      if (!std::exchange(first, false)) out_.append(indent, ' ');
      out_ += "- ";
      Block(item, indent + 2, depth + 1);
    }
  }

  void Map(const json& value, std::size_t indent, std::size_t depth) {
    bool first = true;
    for (const auto& [key, item] : value.items()) {
      if (!std::exchange(first, false)) out_.append(indent, ' ');
      if (key.size() > kMaxYamlKeyBytes)
        return Fail(ErrorCode::kLimit, fmt::format("a key of {} bytes", key.size()));
      Text(key);
      out_ += ':';
      if (!IsBlock(item)) {
        out_ += ' ';
        Block(item, indent, depth + 1);
        continue;
      }
      const std::size_t inner = item.is_array() ? indent : indent + 2;
      out_ += '\n';
      out_.append(inner, ' ');
      Block(item, inner, depth + 1);
    }
  }

  std::string out_;
  std::optional<Error> error_;
};

}  // namespace

Result<std::string> EmitYaml(const json& value) { return YamlWriter().Write(value); }

}  // namespace hsmops::cluster
