// KnownFiles: what small files were parsed to, so that one that did not change is neither read nor
// parsed again.
//
// A file is known again by its inode, size and times. They tell every later change only if the file
// had them for longer than its file system's clock ticks when it was read; before that it is read
// each time. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/digest.h"
#include "libhsmops/base/file.h"

namespace hsmops::cluster {

// What tells one version of a file from another without reading it.
struct FileStamp {
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
// As the file system's server has it, where there is one. Errors: as base::ReadFile.
base::Result<FileStamp> StampOf(const std::string& path);

// A file's times may be of every second second only (FAT).
inline constexpr std::chrono::seconds kCoarsestFileTime{3};

template <typename T>
class KnownFiles {
 public:
  using Parse = std::function<base::Result<T>(std::string text)>;
  using Stamp = std::function<base::Result<FileStamp>(const std::string& path)>;
  // `clock` must outlive it. `stamp`: for tests of file systems with other times.
  explicit KnownFiles(const base::Clock& clock, Stamp stamp = StampOf)
      : clock_(clock), stamp_(std::move(stamp)) {}

  // What the file holds, by `parse` where that is not known. Errors: of reading (kNotFound: there
  // is no such file), and the parser's, which are not remembered.
  base::Result<std::shared_ptr<const T>> Read(const std::string& path, std::size_t max_bytes,
                                              const Parse& parse) {
    HSM_TRY(const FileStamp stamp, stamp_(path));
    const base::TimePoint now = clock_.Now();
    Known& known = known_[path];
    if (!(known.stamp == stamp)) {
      known.stamp = stamp;
      known.since = now;
    } else if (known.value && known.read - known.since > kCoarsestFileTime) {
      return known.value;
    }
    HSM_TRY(const base::SecretBytes bytes, base::ReadFile(path, max_bytes));
    known.read = now;
    const base::Digest digest = base::Sha256(bytes.view());
    if (known.value && known.digest == digest) return known.value;
    known.value.reset();
    HSM_TRY(T value, parse({bytes.view().begin(), bytes.view().end()}));
    known.digest = digest;
    known.value = std::make_shared<const T>(std::move(value));
    return known.value;
  }

  std::size_t size() const { return known_.size(); }
  // All but these.
  void ForgetOthers(const std::set<std::string>& paths) {
    std::erase_if(known_, [&](const auto& entry) { return !paths.contains(entry.first); });
  }

 private:
  struct Known {
    FileStamp stamp;
    base::TimePoint since{};  // when it was first seen with this stamp,
    base::TimePoint read{};   // and last read
    base::Digest digest{};
    std::shared_ptr<const T> value;
  };

  const base::Clock& clock_;
  const Stamp stamp_;
  std::map<std::string, Known> known_;
};

}  // namespace hsmops::cluster
