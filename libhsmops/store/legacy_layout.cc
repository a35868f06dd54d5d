#include "libhsmops/store/legacy_layout.h"

#include <fmt/format.h>

#include "libhsmops/base/printable.h"

namespace hsmops::store {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using token::ObjectHandle;

constexpr std::string_view kMetadataKey = "_metadata";

}  // namespace

Result<LegacyLayout> LegacyLayout::Build(token::Token& token) {
  HSM_TRY(const std::vector<ObjectHandle> found, token.Find(kLegacyApplication));
  LegacyLayout layout;
  for (const ObjectHandle handle : found) {
    // Nothing here has a checksum: every answer is asked for twice.
    HSM_TRY(const std::string label, token.ReadLabel(handle));
    HSM_TRY(const std::string again, token.ReadLabel(handle));
    if (label != again)
      return Error(ErrorCode::kUnavailable, "a label of the legacy layout reads in two ways");
    const std::size_t slash = label.rfind('/');
    const std::string name = slash == std::string::npos ? label : label.substr(0, slash);
    const std::string key = slash == std::string::npos ? std::string() : label.substr(slash + 1);
    Objects& objects = layout.secrets_[name];
    if (key == kMetadataKey) {
      objects.metadata.push_back(handle);
    } else {
      objects.keys[key].push_back(handle);
    }
  }
  return layout;
}

std::string LegacyLayout::WhyNot(const std::string& name, const Objects& objects) {
  if (auto parsed = SecretName::Parse(name); !parsed.ok()) return parsed.error().message();
  if (objects.keys.empty()) return "it has metadata but no keys";
  for (const auto& [key, handles] : objects.keys) {
    if (auto fits = CheckKeyName(key); !fits.ok()) return fits.error().message();
    if (handles.size() > 1) {
      return fmt::format("key {} stands {} times and nothing says which is the newest", key,
                         handles.size());
    }
  }
  return {};
}

std::vector<LegacyItem> LegacyLayout::Items() const {
  std::vector<LegacyItem> items;
  for (const auto& [name, objects] : secrets_) {
    LegacyItem item{name, {}, WhyNot(name, objects)};
    for (const auto& [key, handles] : objects.keys) item.keys.push_back(key);
    items.push_back(std::move(item));
  }
  return items;
}

Result<Keys> LegacyLayout::Read(token::Token& token, const std::string& name) const {
  const auto found = secrets_.find(name);
  if (found == secrets_.end())
    return Error(ErrorCode::kNotFound, "no such secret in the legacy layout");
  if (std::string why = WhyNot(name, found->second); !why.empty()) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("legacy secret {}: {}", base::Printable(name), why));
  }
  Keys keys;
  for (const auto& [key, handles] : found->second.keys) {
    HSM_TRY(token::StoredObject object, token.Read(handles.front()));
    HSM_TRY(const token::StoredObject again, token.Read(handles.front()));
    if (object.label != again.label || object.label != name + "/" + key ||
        object.value != again.value) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("legacy secret {} reads in two ways", base::Printable(name)));
    }
    keys.emplace(key, std::move(object.value));
  }
  return keys;
}

Result<void> LegacyLayout::Destroy(token::Token& token, const std::string& name) {
  const auto found = secrets_.find(name);
  if (found == secrets_.end()) return {};
  auto& [keys, metadata] = found->second;
  while (!keys.empty()) {
    auto& handles = keys.begin()->second;
    for (; !handles.empty(); handles.pop_back()) HSM_RETURN_IF_ERROR(token.Destroy(handles.back()));
    keys.erase(keys.begin());
  }
  for (; !metadata.empty(); metadata.pop_back())
    HSM_RETURN_IF_ERROR(token.Destroy(metadata.back()));
  secrets_.erase(found);
  return {};
}

}  // namespace hsmops::store
