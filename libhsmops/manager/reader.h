// Reader: one secret from a pool, from its Primary or, marked, from a mirror.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

struct Served {
  std::optional<store::Secret> secret;  // nullopt: looked, and there is none
  std::string node;
  bool by_primary = false;  // linearisable; otherwise some version, perhaps an older one
  bool in_sync_set = false;
  std::string why_not_primary;
  // Nothing there: whether nobody can have acknowledged it. The Primary said so, or as many members
  // of S as hold every acknowledged write between them.
  bool certain = false;
};

// Asks the Primary behind its gate. When that cannot be, the mirrors, those of S first; of those
// that answer the greatest version is taken. kUnavailable: nobody could be asked; kCorrupt: the
// ones that could be asked hold it damaged.
base::Result<Served> Read(Pool& pool, const store::SecretName& name);

// kNotFound: there surely is none; kUnavailable: that is not known. Else it holds a secret.
base::Result<void> CheckServed(const store::SecretName& name, const Served& served);

}  // namespace hsmops::manager
