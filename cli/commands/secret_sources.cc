#include "cli/commands/secret_sources.h"

#include <fmt/format.h>

#include <istream>
#include <nlohmann/json.hpp>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/yaml.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using base::SecretBytes;
using nlohmann::json;

constexpr std::size_t kMaxManifestBytes = std::size_t{64} << 20;

Result<void> Add(store::Keys& keys, const std::string& key, SecretBytes value) {
  HSM_RETURN_IF_ERROR(store::CheckKeyName(key));
  if (!keys.emplace(key, std::move(value)).second)
    return Error(ErrorCode::kInvalid, fmt::format("key {} is given twice", key));
  return {};
}

Result<SecretBytes> ReadStream(std::istream& in, std::size_t limit) {
  SecretBytes content;
  SecretBytes page(std::size_t{16} << 10);
  while (in.read(reinterpret_cast<char*>(page.data()), static_cast<std::streamsize>(page.size())) ||
         in.gcount() > 0) {
    content.Append(page.view().first(static_cast<std::size_t>(in.gcount())));
    if (content.size() > limit)
      return Error(ErrorCode::kLimit, fmt::format("standard input is longer than {} bytes", limit));
  }
  // Closed or broken is not empty: a value of no bytes would be written for it.
  if (in.bad()) return Error(ErrorCode::kUnavailable, "standard input cannot be read");
  return content;
}

// A file that a flag names. That it is missing says nothing about a secret, so it is not kNotFound.
Result<SecretBytes> ReadInput(const std::string& path, std::size_t limit, const std::string& flag) {
  auto content = base::ReadFile(path, limit);
  if (content.Is(ErrorCode::kNotFound))
    return Error(ErrorCode::kUnavailable, content.error().message()).Within(flag);
  return std::move(content).Within(flag);
}

std::string_view TextOf(const SecretBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<void> AddLiteral(store::Keys& keys, const std::string& word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos)
    return Error(ErrorCode::kInvalid, "--from-literal wants key=value");
  return Add(keys, word.substr(0, equals),
             SecretBytes::FromText(std::string_view(word).substr(equals + 1)));
}

Result<void> AddFile(store::Keys& keys, const std::string& word) {
  const std::size_t equals = word.find('=');
  const std::string path = equals == std::string::npos ? word : word.substr(equals + 1);
  const std::string key =
      equals == std::string::npos ? path.substr(path.rfind('/') + 1) : word.substr(0, equals);
  if (path == "-")
    return Error(ErrorCode::kInvalid,
                 "--from-file takes no standard input: that is --stdin-key KEY");
  HSM_TRY(SecretBytes content, ReadInput(path, store::kMaxSecretBytes, "--from-file"));
  return Add(keys, key, std::move(content));
}

// What stands before the "=" is not repeated: of a value spread over lines it is a part of it.
Result<void> AddEnvLine(store::Keys& keys, std::string_view key, std::string_view value) {
  if (!store::CheckKeyName(key).ok())
    return Error(ErrorCode::kInvalid,
                 fmt::format("what stands before \"=\" is no key name: 1 to {} of A-Z, a-z, 0-9, "
                             "\"-\", \".\" and \"_\"; --from-file takes values of several lines",
                             store::kMaxKeyNameBytes));
  if (!keys.emplace(std::string(key), SecretBytes::FromText(value)).second)
    return Error(ErrorCode::kInvalid, "its key is given twice");
  return {};
}

// KEY=value lines as kubectl's --from-env-file: blank lines and # comments are passed over, the
// value is everything after the first "=".
Result<void> AddEnvFile(store::Keys& keys, const std::string& path) {
  HSM_TRY(const SecretBytes content, ReadInput(path, store::kMaxSecretBytes, "--from-env-file"));
  std::string_view text = TextOf(content);
  for (int line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.ends_with('\r')) one.remove_suffix(1);
    one.remove_prefix(std::min(one.find_first_not_of(" \t"), one.size()));
    if (one.empty() || one.starts_with('#')) continue;
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos)
      return Error(ErrorCode::kInvalid,
                   fmt::format("--from-env-file {} line {}: no \"=\"", path, line));
    HSM_RETURN_IF_ERROR(AddEnvLine(keys, one.substr(0, equals), one.substr(equals + 1))
                            .Within(fmt::format("--from-env-file {} line {}", path, line)));
  }
  return {};
}

Result<json> ParseJson(std::string_view text, const std::string& what) {
  json document = json::parse(text, nullptr, false);
  if (document.is_discarded())
    return Error(ErrorCode::kInvalid, fmt::format("{} is not JSON", what));
  return document;
}

Result<void> AddJsonFile(store::Keys& keys, const std::string& path) {
  HSM_TRY(const SecretBytes content, ReadInput(path, store::kMaxSecretBytes, "--from-json"));
  HSM_TRY(const json document, ParseJson(TextOf(content), "--from-json " + path));
  if (!document.is_object())
    return Error(ErrorCode::kInvalid,
                 fmt::format("--from-json {} is not an object of key: value", path));
  for (const auto& [key, value] : document.items()) {
    if (!value.is_string())
      return Error(ErrorCode::kInvalid,
                   fmt::format("--from-json {}: the value of {} is not a string", path,
                               base::Printable(key)));
    HSM_RETURN_IF_ERROR(Add(keys, key, SecretBytes::FromText(value.get_ref<const std::string&>())));
  }
  return {};
}

Result<std::string> NameIn(const json& document) {
  const json metadata = document.value("metadata", json::object());
  const json annotations =
      metadata.is_object() ? metadata.value("annotations", json::object()) : json::object();
  if (annotations.is_object() && annotations.contains("hsm.j5t.io/name") &&
      annotations["hsm.j5t.io/name"].is_string())
    return annotations["hsm.j5t.io/name"].get<std::string>();
  const json spec = document.value("spec", json::object());
  if (spec.is_object() && spec.contains("name") && spec["name"].is_string())
    return spec["name"].get<std::string>();
  if (metadata.is_object() && metadata.contains("name") && metadata["name"].is_string())
    return metadata["name"].get<std::string>();
  return Error(ErrorCode::kInvalid, "metadata.name is missing");
}

Result<void> TakeDocument(const json& document, std::vector<NamedKeys>& secrets, int depth) {
  if (document.is_null()) return {};
  if (!document.is_object()) return Error(ErrorCode::kInvalid, "a document is not an object");
  const json kind = document.value("kind", json());
  if (kind == "List" && document.contains("items") && document["items"].is_array() && depth == 0) {
    for (const json& item : document["items"]) HSM_RETURN_IF_ERROR(TakeDocument(item, secrets, 1));
    return {};
  }
  if (kind != "Secret" && kind != "MirroredSecret")
    return Error(ErrorCode::kInvalid, "kind is not one of Secret, MirroredSecret, List");
  HSM_TRY(const std::string text, NameIn(document));
  HSM_TRY(store::SecretName name, store::SecretName::Parse(text));
  store::Keys keys;
  for (const char* field : {"data", "stringData"}) {
    if (!document.contains(field)) continue;
    if (!document[field].is_object())
      return Error(ErrorCode::kInvalid, fmt::format("{}: {} is not an object", text, field));
    for (const auto& [key, value] : document[field].items()) {
      if (!value.is_string())
        return Error(ErrorCode::kInvalid,
                     fmt::format("{}: {}.{} is not a string", text, field, base::Printable(key)));
      const std::string& raw = value.get_ref<const std::string&>();
      auto bytes = std::string_view(field) == "data"
                       ? base::FromBase64(raw)
                       : Result<SecretBytes>(SecretBytes::FromText(raw));
      if (!bytes.ok())
        return bytes.error().Within(fmt::format("{}: data.{}", text, base::Printable(key)));
      keys.erase(key);  // stringData overrules data, as in Kubernetes
      HSM_RETURN_IF_ERROR(Add(keys, key, *std::move(bytes)).Within(text));
    }
  }
  secrets.push_back({std::move(name), std::move(keys)});
  return {};
}

}  // namespace

Result<store::Keys> ReadSources(const SourceWords& words, Context& context) {
  store::Keys keys;
  for (const std::string& literal : words.literals) HSM_RETURN_IF_ERROR(AddLiteral(keys, literal));
  for (const std::string& file : words.files) HSM_RETURN_IF_ERROR(AddFile(keys, file));
  if (!words.env_file.empty()) HSM_RETURN_IF_ERROR(AddEnvFile(keys, words.env_file));
  if (!words.json_file.empty()) HSM_RETURN_IF_ERROR(AddJsonFile(keys, words.json_file));
  if (!words.stdin_key.empty()) {
    HSM_TRY(SecretBytes content, ReadStream(context.in(), store::kMaxSecretBytes));
    // What a producer that failed leaves behind is nothing, and would take the value's place.
    if (content.empty())
      return Error(ErrorCode::kInvalid,
                   fmt::format("standard input is empty; an empty value is --from-literal {}=",
                               base::Printable(words.stdin_key)));
    HSM_RETURN_IF_ERROR(Add(keys, words.stdin_key, std::move(content)));
  }
  return keys;
}

Result<std::vector<NamedKeys>> ReadManifest(const std::string& path, Context& context) {
  auto content = path == "-" ? ReadStream(context.in(), kMaxManifestBytes)
                             : ReadInput(path, kMaxManifestBytes, "-f");
  if (!content.ok()) return content.error();
  std::vector<NamedKeys> secrets;
  std::string_view text = TextOf(*content);
  if (const auto whole = json::parse(text, nullptr, false); !whole.is_discarded()) {
    HSM_RETURN_IF_ERROR(TakeDocument(whole, secrets, 0).Within("-f " + path));
    return secrets;
  }
  std::size_t first_line = 1;
  std::string document;
  std::size_t line = 1;
  const auto flush = [&]() -> Result<void> {
    auto parsed = cluster::ParseYaml(document, first_line);
    if (!parsed.ok())
      return Error(ErrorCode::kInvalid, fmt::format("-f {}: {}", path, parsed.error().message()));
    document.clear();
    return TakeDocument(*parsed, secrets, 0).Within(fmt::format("-f {} line {}", path, first_line));
  };
  for (; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one == "---" || one.starts_with("--- ")) {
      HSM_RETURN_IF_ERROR(flush());
      first_line = line + 1;
      continue;
    }
    document += one;
    document += '\n';
  }
  HSM_RETURN_IF_ERROR(flush());
  return secrets;
}

}  // namespace hsmops::cli
