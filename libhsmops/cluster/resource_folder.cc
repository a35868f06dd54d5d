#include "libhsmops/cluster/resource_folder.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/file.h"
#include "libhsmops/cluster/fields.h"
#include "libhsmops/cluster/resource_store.h"
#include "libhsmops/cluster/yaml.h"

namespace hsmops::cluster {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

// Room for ".tmp.<pid>" within the 255 bytes of a file name.
constexpr std::size_t kMaxFileNameBytes = 230;
constexpr std::size_t kMaxFilesListed = 2 * kMaxObjectsPerKind;

std::string DigestOf(const json& value) {
  return base::Hex(base::Sha256(base::AsBytes(value.dump()))).substr(0, 32);
}

json SpecOf(const json& document) {
  const auto found = document.find("spec");
  return found == document.end() ? json() : *found;
}

std::string Field(const json& metadata, const char* name) {
  const auto found = metadata.find(name);
  return found != metadata.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// A uid in the form of RFC 4122 for an object that a hand wrote: the same as long as its name is.
std::string DerivedUid(std::string_view cluster_id, const ObjectKey& key) {
  const std::string seed =
      fmt::format("{}/{}/{}/{}", cluster_id, Plural(key.kind), key.ns, key.name);
  std::string hex = base::Hex(base::Sha256(base::AsBytes(seed))).substr(0, 32);
  hex[12] = '8';  // version 8 (RFC 9562): made by rules of our own
  hex[16] = 'a';
  for (const std::size_t at : {20, 16, 12, 8}) hex.insert(at, "-");
  return hex;
}

void DescribeStatusFile(FieldReader& fields, StatusFile& file) {
  fields("uid", file.uid);
  fields("creationTimestamp", file.creation_timestamp);
  fields("generation", file.generation);
  fields("specDigest", file.spec_digest);
  fields("writes", file.writes);
}

Result<StatusFile> ParseStatus(std::string text, const ObjectKey& key) {
  const auto corrupt = [&](std::string_view what) {
    return Error(ErrorCode::kCorrupt, std::string(what));
  };
  auto document = ParseYaml(text);
  if (!document.ok()) return corrupt(document.error().message());
  Problems problems;
  FieldReader fields(*document, "", problems);
  std::map<std::string, std::string> of;
  StatusFile file;
  fields("of", of);
  DescribeStatusFile(fields, file);
  if (auto fits = problems.Finish(); !fits.ok()) return corrupt(fits.error().message());
  if (of["kind"] != Name(key.kind) || of["namespace"] != key.ns || of["name"] != key.name ||
      file.uid.empty()) {
    return corrupt("is not the status of " + Describe(key));
  }
  file.status =
      std::make_shared<const json>(document->contains("status") ? document->at("status") : json());
  if (!file.status->is_object() && !file.status->is_null()) return corrupt("status is not a map");
  file.text = std::move(text);
  return file;
}

}  // namespace

bool IsResourceFileName(std::string_view name) {
  return !name.starts_with('.') &&
         (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

std::string FileNameOf(const ObjectKey& key) {
  HSM_CHECK(CheckName(key.name).ok() && CheckNamespace(key.ns).ok());
  std::string name = fmt::format("{}.{}.yaml", key.ns, key.name);
  if (name.size() <= kMaxFileNameBytes) return name;
  const base::Digest digest = base::Sha256(base::AsBytes(key.name));
  return fmt::format("{}.{}_{}.yaml", key.ns, key.name.substr(0, 80),
                     base::Base32(base::ByteView(digest).first(16)));
}

ResourceFolder::ResourceFolder(std::string root, std::string cluster_id, Kind kind,
                               const base::Clock& clock)
    : root_(std::move(root)),
      cluster_id_(std::move(cluster_id)),
      kind_(kind),
      path_(fmt::format("{}/{}", root_, Plural(kind))),
      status_path_(fmt::format("{}/status/{}", root_, Plural(kind))),
      manifests_(clock),
      statuses_(clock) {}

std::string ResourceFolder::StatusPathOf(const ObjectKey& key) const {
  return fmt::format("{}/{}", status_path_, FileNameOf(key));
}

Result<std::vector<std::string>> ResourceFolder::FileNames() const {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path_.c_str()), closedir);
  if (!folder && errno == ENOENT) {
    // An empty folder may be missing (git keeps none), but not the one that makes it a cluster's.
    if (kind_ != Kind::kHsmDevice &&
        access(fmt::format("{}/{}", root_, Plural(Kind::kHsmDevice)).c_str(), F_OK) == 0)
      return names;
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{} is no cluster folder any more", base::Printable(root_)));
  }
  if (!folder) return base::ErrnoError("listing", path_, errno);
  for (;;) {
    errno = 0;
    const dirent* const entry = readdir(folder.get());
    if (entry == nullptr) break;
    if (IsResourceFileName(entry->d_name)) names.emplace_back(entry->d_name);
    if (names.size() > kMaxFilesListed)
      return Error(ErrorCode::kLimit,
                   fmt::format("{} holds more than {} files", path_, kMaxFilesListed));
  }
  if (errno != 0) return base::ErrnoError("listing", path_, errno);
  std::ranges::sort(names);
  return names;
}

Result<std::shared_ptr<const Manifest>> ResourceFolder::ReadManifest(const std::string& path) {
  return manifests_.Read(path, kMaxObjectBytes, [&](std::string text) {
    return Manifest::Parse(std::move(text), kind_).Within(base::Printable(path));
  });
}

Result<ResourceFolder::Snapshot> ResourceFolder::Scan() {
  HSM_TRY(const std::vector<std::string> names, FileNames());
  Snapshot snapshot;
  std::set<std::string> paths;
  for (const std::string& name : names) {
    const std::string path = fmt::format("{}/{}", path_, name);
    const auto manifest = ReadManifest(path);
    if (manifest.Is(ErrorCode::kNotFound)) continue;  // gone since it was listed
    if (!manifest.ok()) {
      snapshot.broken.push_back(manifest.error());
      continue;
    }
    paths.insert(path);
    for (std::size_t i = 0; i < (*manifest)->entries().size(); ++i) {
      const ObjectKey& key = (*manifest)->entries()[i].object.key();
      const auto [place, is_new] = snapshot.objects.try_emplace(key, Located{path, *manifest, i});
      if (is_new) continue;
      snapshot.doubled.try_emplace(
          key, ErrorCode::kInvalid,
          fmt::format("{} is defined twice, by {} (line {}) and by {} (line {}): remove one",
                      Describe(key), base::Printable(place->second.path),
                      place->second.Entry().line, base::Printable(path),
                      (*manifest)->entries()[i].line));
    }
    if (snapshot.objects.size() > kMaxObjectsPerKind)
      return Error(ErrorCode::kLimit,
                   fmt::format("{} holds more than {} objects", path_, kMaxObjectsPerKind));
  }
  for (const auto& [key, error] : snapshot.doubled) snapshot.objects.erase(key);
  manifests_.ForgetOthers(paths);
  if (statuses_.size() > snapshot.objects.size()) {
    paths.clear();
    for (const auto& [key, located] : snapshot.objects) paths.insert(StatusPathOf(key));
    statuses_.ForgetOthers(paths);
  }
  return snapshot;
}

Result<std::shared_ptr<const StatusFile>> ResourceFolder::ReadStatus(const ObjectKey& key) {
  const std::string path = StatusPathOf(key);
  auto read = statuses_.Read(path, kMaxObjectBytes, [&](std::string text) {
    return ParseStatus(std::move(text), key).Within(base::Printable(path));
  });
  if (read.Is(ErrorCode::kNotFound)) return std::shared_ptr<const StatusFile>();
  return read;
}

Result<Object> ResourceFolder::Joined(const Located& located) {
  const Object& object = located.Entry().object;
  const ObjectKey& key = object.key();
  json document = object.document();
  if (HasStatus(kind_))
    document.erase("status");  // a user's file may hold what `kubectl get -o yaml` gave
  std::string hashed = document.dump() + '\0';
  json& metadata = document["metadata"];
  std::shared_ptr<const StatusFile> status;
  if (HasStatus(kind_)) {
    HSM_TRY(status, ReadStatus(key));
    const std::string uid = Field(metadata, "uid");
    if (status && !uid.empty() && status->uid != uid) status.reset();  // of an object that is gone
    if (status) hashed += status->text;
  }
  if (Field(metadata, "uid").empty())
    metadata["uid"] = status ? status->uid : DerivedUid(cluster_id_, key);
  if (status && Field(metadata, "creationTimestamp").empty())
    metadata["creationTimestamp"] = status->creation_timestamp;
  const bool same_spec = status && status->spec_digest == DigestOf(SpecOf(document));
  metadata["generation"] = !status ? 1 : status->generation + (same_spec ? 0 : 1);
  metadata["resourceVersion"] = base::Hex(base::Sha256(base::AsBytes(hashed))).substr(0, 32);
  if (status && !status->status->is_null()) document["status"] = *status->status;
  return Object::From(std::move(document));
}

json ResourceFolder::ForManifest(const json& document, const json& previous) {
  json stored = document;
  const auto kind = FromName<Kind>(Field(document, "kind"));
  HSM_CHECK(kind.ok());
  if (HasStatus(*kind)) stored.erase("status");
  json& metadata = stored["metadata"];
  metadata.erase("generation");
  // The counter stands where an exported object has its version; it only has to differ each time.
  std::uint64_t writes = 0;
  if (previous.contains("metadata")) {
    const std::string text = Field(previous.at("metadata"), "resourceVersion");
    (void)std::from_chars(text.data(), text.data() + text.size(),
                          writes);  // a foreign version counts as 0
  }
  metadata["resourceVersion"] = std::to_string(writes + 1);
  return stored;
}

Result<std::string> ResourceFolder::ForStatusFile(const ObjectKey& key, const json& document,
                                                  base::WallTime now) {
  HSM_TRY(const auto previous, ReadStatus(key));
  const json& metadata = document.at("metadata");
  const std::string created = Field(metadata, "creationTimestamp");
  json file = {{"of", {{"kind", Name(key.kind)}, {"namespace", key.ns}, {"name", key.name}}},
               {"uid", metadata.at("uid")},
               {"creationTimestamp", created.empty() ? base::FormatTime(now) : created},
               {"generation", metadata.at("generation")},
               {"specDigest", DigestOf(SpecOf(document))},
               {"writes", previous ? previous->writes + 1 : 1},
               {"status", document.contains("status") ? document.at("status") : json()}};
  return EmitYaml(file);
}

}  // namespace hsmops::cluster
