// SoftHsmFiles: what only SoftHSM 2.6's file backend needs, at the level of its files.
//
// SoftHSM answers from memory and does not look whether its writes arrived; a full disk gives
// CKR_OK and loses the object. So after a create this class looks at the new files themselves. It
// also rewrites token.object in place at every C_Login, so a kill there leaves no token; hence a
// copy.
//
// File form, as SoftHSM 2.6.1 writes it: a 64-bit generation, then attributes of {type, kind,
// value}, all 64-bit big-endian; kind 1 a byte, 2 a 64-bit integer, 3 and 4 a length and that many
// bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/file.h"

namespace hsmops::token {

class SoftHsmFiles {
 public:
  // The folder of the token with this serial under the tokendir that the configuration names (the
  // file given, or SOFTHSM2_CONF, ~/.config/softhsm2/softhsm2.conf, /etc/softhsm/softhsm2.conf).
  // nullopt: another backend, or no such folder here.
  static std::optional<SoftHsmFiles> Find(const std::string& conf, const std::string& serial);

  // Before C_Initialize: restores token.object from our copy wherever it does not parse, under
  // SoftHSM's own lock of that file. How many were restored. kUnavailable: somebody else has that
  // lock at the deadline; the message names the holder's pid.
  static base::Result<int> RestoreTornTokens(const std::string& conf, base::Clock& clock,
                                             base::TimePoint deadline);

  // Before C_Login: makes the copy, unless it is there already. kUnavailable as above.
  base::Result<void> SaveTokenObject(base::Clock& clock, base::TimePoint deadline) const;

  // Notes one create that the module answered with CKR_OK.
  void CountCreate();
  // Drops what is pending: for the start of a view. The next Barrier syncs all of it, whatever it
  // was.
  void Forget();
  // Every object created since the last call is a whole file and synced, the folder too, and the
  // disk has at least `min_free_bytes` left. kLimit when it has not, kUnavailable when a file is
  // missing or torn.
  base::Result<void> Barrier(std::uint64_t min_free_bytes);
  // The same for every file, whoever wrote it.
  base::Result<void> SyncAll();
  base::Result<std::uint64_t> FreeBytes() const;
  // kLimit: the disk has less than that.
  base::Result<void> CheckRoom(std::uint64_t min_free_bytes) const;
  // kUnavailable: the token's folder went away or another is in its place. SoftHSM itself does not
  // look again before the next C_Initialize.
  base::Result<void> Present() const;

  // Object files of data that hold no label, no application and no value, and are older than a
  // minute: what a refused or killed create leaves.
  base::Result<std::vector<std::string>> Ghosts() const;
  // Removes those that still are and that nobody has locked. Only outside a view of this process.
  base::Result<std::uint64_t> CollectGhosts(const std::vector<std::string>& ghosts) const;

 private:
  SoftHsmFiles(std::string folder, base::Fd folder_fd, base::Fd inotify)
      : folder_(std::move(folder)),
        folder_fd_(std::move(folder_fd)),
        inotify_(std::move(inotify)) {}
  base::Result<bool> IsGhost(const std::string& name, int fd) const;
  base::Error TooFull(std::uint64_t room, std::uint64_t min_free_bytes) const;
  base::Result<void> Drain();

  std::string folder_;
  base::Fd folder_fd_;
  base::Fd inotify_;
  std::set<std::string> pending_;
  std::uint64_t creates_ = 0;
  bool overflowed_ = false;
  bool unsynced_ = false;  // what a view shows may not be on the disk yet
};

}  // namespace hsmops::token
