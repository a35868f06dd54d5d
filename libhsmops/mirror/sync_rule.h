// SyncRule: who has to hold a write before it is acknowledged (protocol.md, 3); a value.
#pragma once

#include <map>
#include <set>
#include <string>

#include "libhsmops/store/secret.h"

namespace hsmops::mirror {

struct SyncRule {
  std::set<store::Uid> members;  // S, without the Primary
  std::uint64_t k = 0;           // minSyncMirrors
  bool all = false;              // policy Active: every member of S
  bool strict = false;           // durability Strict: k of them, also where S has fewer

  // How many of `members` must confirm.
  std::size_t Needed() const;
  // Of those who confirmed, how many count.
  std::size_t Counted(const std::set<store::Uid>& confirmed) const;
  bool HeldBy(const std::set<store::Uid>& confirmed) const {
    return Counted(confirmed) >= Needed();
  }
  // Can no write be acknowledged by it, whoever confirms?
  bool RefusesAll() const { return Needed() > members.size(); }
  bool operator==(const SyncRule&) const = default;
};

// How the Primary reaches another member.
struct PeerAddress {
  std::string node;
  std::string url;  // https://host:port
  bool operator==(const PeerAddress&) const = default;
};
using PeerAddresses = std::map<store::Uid, PeerAddress>;

}  // namespace hsmops::mirror
