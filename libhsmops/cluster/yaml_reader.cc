#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "libhsmops/cluster/fields.h"
#include "libhsmops/cluster/yaml.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using nlohmann::json;
using YAML::Mark;

constexpr std::string_view kCoreTag = "tag:yaml.org,2002:";

// Ends the parser's run; caught before it leaves ParseYaml.
struct Stop {
  Mark mark;
  ErrorCode code;
  std::string what;
};

[[noreturn]] void Refuse(const Mark& mark, std::string what) {
  throw Stop{mark, ErrorCode::kCorrupt, std::move(what)};
}

// A value that begins with ! and is not quoted is read as a tag: its text is not repeated.
[[noreturn]] void RefuseTag(const Mark& mark) {
  Refuse(mark, "the tag is not understood here; quote the value if it begins with !");
}

// yaml-cpp puts text of the document after a colon, and nowhere else.
std::string WithoutText(const std::string& message) { return message.substr(0, message.find(':')); }

struct Counted {
  json value;
  std::size_t nodes = 1;
};

// Builds JSON from the parser's events. Aliases are copies of what their anchor held.
class JsonBuilder : public YAML::EventHandler {
 public:
  const json& root() const { return root_; }
  int documents() const { return documents_; }

  void OnDocumentStart(const Mark& mark) override {
    if (++documents_ > 1 && !root_.is_null()) Refuse(mark, "a second document begins without ---");
    anchors_.clear();
  }
  void OnDocumentEnd() override {}

  void OnNull(const Mark& mark, YAML::anchor_t anchor) override {
    Add(mark, anchor, {json(), 1}, "", true);
  }

  void OnAlias(const Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) Refuse(mark, "an alias stands within what it names");
    Add(mark, 0, found->second, "", true);
  }

  void OnScalar(const Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool plain = tag == "?" || tag.empty();
    Add(mark, anchor, {Meaning(mark, tag, value), 1}, value, plain);
  }

  void OnSequenceStart(const Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, "seq", anchor, json::array());
  }
  void OnMapStart(const Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, "map", anchor, json::object());
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override {
    Frame& frame = open_.back();
    for (json& merged : frame.merged) {  // what the map itself says wins, then the earlier merge
      for (auto& [key, value] : merged.items()) {
        if (!frame.built.value.contains(key)) frame.built.value[key] = std::move(value);
      }
    }
    Close();
  }

 private:
  struct Frame {
    Mark mark;
    YAML::anchor_t anchor = 0;
    Counted built;
    std::optional<std::string> key;  // read, its value not yet
    bool merging = false;            // the key was <<
    bool merged_once = false;
    std::vector<json> merged;
  };

  static json Meaning(const Mark& mark, const std::string& tag, const std::string& value) {
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return value;
    auto plain = ResolvePlain(value);
    if (!plain.ok()) Refuse(mark, plain.error().message());
    if (tag == "?" || tag.empty()) return *plain;
    const bool fits = (tag == "tag:yaml.org,2002:int" && plain->is_number_integer()) ||
                      (tag == "tag:yaml.org,2002:float" && plain->is_number()) ||
                      (tag == "tag:yaml.org,2002:bool" && plain->is_boolean()) ||
                      (tag == "tag:yaml.org,2002:null" && plain->is_null());
    if (!fits) RefuseTag(mark);
    return *plain;
  }

  void Open(const Mark& mark, const std::string& tag, std::string_view plain_tag,
            YAML::anchor_t anchor, json empty) {
    if (tag != "?" && tag != "!" && !tag.empty() &&
        tag != fmt::format("{}{}", kCoreTag, plain_tag)) {
      RefuseTag(mark);
    }
    if (!open_.empty() && WantsKey(open_.back())) {
      Refuse(mark, "a map or list stands where a key is expected; is a bracket not closed?");
    }
    if (open_.size() >= kMaxYamlDepth)
      throw Stop{mark, ErrorCode::kLimit, fmt::format("nested deeper than {}", kMaxYamlDepth)};
    open_.push_back({mark, anchor, {std::move(empty), 1}, std::nullopt, false, false, {}});
  }

  void Close() {
    Frame frame = std::move(open_.back());
    open_.pop_back();
    Add(frame.mark, frame.anchor, std::move(frame.built), "", false);
  }

  static bool WantsKey(const Frame& frame) {
    return frame.built.value.is_object() && !frame.key && !frame.merging;
  }

  void Count(const Mark& mark, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > kMaxYamlNodes)
      throw Stop{mark, ErrorCode::kLimit, fmt::format("more than {} values", kMaxYamlNodes)};
  }

  void Add(const Mark& mark, YAML::anchor_t anchor, Counted item, const std::string& text,
           bool plain) {
    Count(mark, item.nodes);
    if (anchor != 0) anchors_[anchor] = item;
    if (open_.empty()) {
      root_ = std::move(item.value);
      return;
    }
    Frame& frame = open_.back();
    if (WantsKey(frame)) return TakeKey(mark, frame, item.value, text, plain);
    frame.built.nodes += item.nodes;
    if (frame.built.value.is_array()) {
      frame.built.value.push_back(std::move(item.value));
    } else if (std::exchange(frame.merging, false)) {
      Merge(mark, frame, std::move(item.value));
    } else {
      frame.built.value[*frame.key] = std::move(item.value);
      frame.key.reset();
    }
  }

  static void TakeKey(const Mark& mark, Frame& frame, const json& key, const std::string& text,
                      bool plain) {
    if (plain && text == "<<") {
      if (std::exchange(frame.merged_once, true)) Refuse(mark, "the key << is there twice");
      frame.merging = true;
      return;
    }
    std::string name;
    if (key.is_string()) {
      name = key.get<std::string>();
    } else if (key.is_boolean() || key.is_number()) {
      name = key.dump();  // as kubectl does: JSON's keys are strings
    } else {
      Refuse(mark, "a key must be a string");
    }
    if (frame.built.value.contains(name))
      Refuse(mark, fmt::format("the key {} is there twice", Shown(json(name))));
    frame.built.value[name] = nullptr;
    frame.key = std::move(name);
  }

  static void Merge(const Mark& mark, Frame& frame, json value) {
    if (value.is_object()) value = json::array({std::move(value)});
    const bool fits = value.is_array() &&
                      std::ranges::all_of(value, [](const json& item) { return item.is_object(); });
    if (!fits) Refuse(mark, "<< needs a map or a list of maps");
    for (json& item : value) frame.merged.push_back(std::move(item));
  }

  json root_;
  int documents_ = 0;
  std::size_t nodes_ = 0;
  std::vector<Frame> open_;
  std::map<YAML::anchor_t, Counted> anchors_;
};

Error At(ErrorCode code, std::size_t line, std::size_t column, std::string_view what) {
  return {code, fmt::format("line {}, column {}: {}", line, column, what)};
}

// yaml-cpp takes byte 0x04 for the end of the text and does not look at the rest of the encoding.
base::Result<void> CheckBytes(std::string_view text, std::size_t first_line) {
  std::size_t line = first_line;
  std::size_t line_start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
      return At(ErrorCode::kCorrupt, line, i - line_start + 1,
                fmt::format("the control character 0x{:02x}", c));
    }
    if (c != '\n' && i + 1 != text.size()) continue;
    if (!base::IsUtf8(text.substr(line_start, i + 1 - line_start)))
      return At(ErrorCode::kCorrupt, line, 1, "the line is not UTF-8");
    ++line;
    line_start = i + 1;
  }
  return {};
}

// JSON's escapes and tabs are not all YAML's; a document that begins as JSON is read as JSON first.
// nullopt: it is not, and YAML's own message will be the better one.
std::optional<base::Result<json>> ParseJson(std::string_view text, std::size_t first_line) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') return std::nullopt;
  std::vector<std::set<std::string>> keys;
  std::optional<Error> refused;
  std::size_t nodes = 0;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (refused) return false;
    if (++nodes > 2 * kMaxYamlNodes)
      refused =
          At(ErrorCode::kLimit, first_line, 1, fmt::format("more than {} values", kMaxYamlNodes));
    if (static_cast<std::size_t>(depth) > kMaxYamlDepth)
      refused =
          At(ErrorCode::kLimit, first_line, 1, fmt::format("nested deeper than {}", kMaxYamlDepth));
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key &&
        !keys.back().insert(parsed.get<std::string>()).second) {
      refused = At(ErrorCode::kCorrupt, first_line, 1,
                   fmt::format("the key {} is there twice", Shown(parsed)));
    }
    return !refused;
  };
  json value = json::parse(text.begin(), text.end(), watch, false);
  if (refused) return base::Result<json>(*refused);
  if (value.is_discarded()) return std::nullopt;
  return base::Result<json>(std::move(value));
}

}  // namespace

base::Result<json> ParseYaml(std::string_view text, std::size_t first_line) {
  HSM_RETURN_IF_ERROR(CheckBytes(text, first_line));
  if (auto parsed = ParseJson(text, first_line)) return *std::move(parsed);
  const auto at = [&](const Mark& mark, ErrorCode code, std::string_view what) {
    return At(code, static_cast<std::size_t>(std::max(mark.line, 0)) + first_line,
              static_cast<std::size_t>(std::max(mark.column, 0)) + 1, what);
  };
  try {
    // yaml-cpp 0.7 takes the end of the text for a closing quote when it comes right after a line
    // break. The mark of a document's end it refuses there, so a torn file does not read as whole.
    std::istringstream stream(std::string(text) + (text.ends_with('\n') ? "...\n" : ""));
    YAML::Parser parser(stream);
    JsonBuilder builder;
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.root();
  } catch (const Stop& stop) {
    return at(stop.mark, stop.code, stop.what);
  } catch (const YAML::Exception& error) {
    return at(error.mark, ErrorCode::kCorrupt, WithoutText(error.msg));
  } catch (const std::exception&) {  // whose message may hold text of the document
    return At(ErrorCode::kCorrupt, first_line, 1, "the document cannot be read");
  }
}

}  // namespace hsmops::cluster
