#include "libhsmops/kube/secret_data.h"

#include <fmt/format.h>

#include <algorithm>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxDepth = 32;

// What the parser reads into is wiped when it lets go of it.
using Text = std::basic_string<char, std::char_traits<char>, base::WipingAllocator<char>>;
using WipedJson = nlohmann::basic_json<std::map, std::vector, Text>;

std::string Plain(const Text& text) { return {text.begin(), text.end()}; }

// Builds the document and puts values aside on the way, so that they are never a part of it.
class Reader {
 public:
  // nlohmann's SAX interface. False ends the parsing.
  bool null() { return Value(nullptr); }
  bool boolean(bool value) { return Value(value); }
  bool number_integer(std::int64_t value) { return Value(value); }
  bool number_unsigned(std::uint64_t value) { return Value(value); }
  template <typename Written>
  bool number_float(double value, const Written&) {
    return Value(value);
  }
  bool binary(WipedJson::binary_t&) { return false; }
  bool string(Text& value) {
    const bool taken = AtData() ? Take(value) : Value(Plain(value));
    base::Wipe(value.data(), value.size());
    return taken;
  }
  bool start_object(std::size_t) { return Open(json::object()); }
  bool end_object() { return Close(); }
  bool start_array(std::size_t) { return Open(json::array()); }
  bool end_array() { return Close(); }
  bool key(Text& name) {
    key_ = Plain(name);
    return true;
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) {
    return Fail(fmt::format("no JSON at byte {}", at));
  }

  Result<Parted> Finish(bool parsed) {
    if (!why_.empty()) return Error(ErrorCode::kInvalid, why_);
    if (!parsed || !root_.is_object()) return Error(ErrorCode::kInvalid, "no JSON object");
    for (auto& [name, value] : texts_) {
      keys_.erase(name);
      keys_.emplace(name, std::move(value));
    }
    std::size_t bytes = 0;
    for (const auto& [name, value] : keys_) bytes += name.size() + value.size();
    if (bytes > store::kMaxSecretBytes)
      return Error(ErrorCode::kInvalid, fmt::format("{} bytes of keys and values, at most {}",
                                                    bytes, store::kMaxSecretBytes));
    return Parted{std::move(root_), std::move(keys_)};
  }

 private:
  bool Fail(std::string why) {
    if (why_.empty()) why_ = std::move(why);
    return false;
  }
  // Within data or stringData of the outermost object.
  bool AtData() const { return path_.size() == 2 && (part_ == "data" || part_ == "stringData"); }

  bool Take(const Text& value) {
    if (auto fits = store::CheckKeyName(key_); !fits.ok())
      return Fail(fmt::format("{}: {}", part_, fits.error().message()));
    const std::string_view view(value.data(), value.size());
    if (part_ == "stringData") {
      texts_.insert_or_assign(key_, SecretBytes::FromText(view));
      return true;
    }
    auto bytes = base::FromBase64(view);
    if (!bytes.ok()) return Fail(fmt::format("data.{} is not base64", base::Printable(key_)));
    keys_.insert_or_assign(key_, *std::move(bytes));
    return true;
  }

  bool Value(json value) {
    if (AtData()) return Fail(fmt::format("{}.{} is not text", part_, base::Printable(key_)));
    if (path_.empty()) return Fail("no JSON object");
    Put(std::move(value));
    return true;
  }

  json* Put(json value) {
    json& parent = *path_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }

  bool Open(json empty) {
    if (path_.size() >= kMaxDepth) return Fail("too deep");
    if (path_.empty()) {
      root_ = std::move(empty);
      path_.push_back(&root_);
      return root_.is_object() || Fail("no JSON object");
    }
    if (AtData()) return Fail(fmt::format("{}.{} is not text", part_, base::Printable(key_)));
    if (path_.size() == 1) part_ = key_;
    const bool values = path_.size() == 1 && (part_ == "data" || part_ == "stringData");
    if (values && !empty.is_object()) return Fail(fmt::format("{} is not an object", part_));
    path_.push_back(values ? &nowhere_ : Put(std::move(empty)));
    return true;
  }

  bool Close() {
    path_.pop_back();
    if (path_.size() == 1) part_.clear();
    return true;
  }

  json root_;
  json nowhere_ = json::object();
  std::vector<json*> path_;  // the last is being filled
  std::string part_;         // the outermost object's field that it is in
  std::string key_;
  store::Keys keys_;
  store::Keys texts_;
  std::string why_;
};

void AppendText(SecretBytes& out, std::string_view text) { out.Append(base::AsBytes(text)); }

// Three bytes at a time, so that there is no text of the whole value that is not wiped.
void AppendBase64(SecretBytes& out, base::ByteView value) {
  for (std::size_t at = 0; at < value.size(); at += 3) {
    std::string four = base::Base64(value.subspan(at, std::min<std::size_t>(3, value.size() - at)));
    AppendText(out, four);
    base::Wipe(four.data(), four.size());
  }
}

}  // namespace

SecretBytes WithData(const json& document, const store::Keys& keys, const std::string& first) {
  std::string text = document.dump();
  std::size_t size = text.size() + 16;
  for (const auto& [name, value] : keys) size += name.size() + value.size() / 3 * 4 + 16;
  SecretBytes out;
  out.reserve(size);
  text.pop_back();  // the last brace
  AppendText(out, text);
  AppendText(out, document.empty() ? "\"data\":{" : ",\"data\":{");
  AppendText(out, first);
  bool comma = !first.empty();
  for (const auto& [name, value] : keys) {
    AppendText(out, fmt::format("{}{}:\"", comma ? "," : "", json(name).dump()));
    AppendBase64(out, value.view());
    AppendText(out, "\"");
    comma = true;
  }
  AppendText(out, "}}");
  return out;
}

Result<Parted> PartData(base::ByteView text) {
  Reader reader;
  const auto* begin = reinterpret_cast<const char*>(text.data());
  const bool parsed = WipedJson::sax_parse(begin, begin + text.size(), &reader);
  return reader.Finish(parsed);
}

}  // namespace hsmops::kube
