#include "libhsmops/token/host_lock.h"

#include <fmt/format.h>
#include <unistd.h>

#include "libhsmops/base/digest.h"
#include "libhsmops/base/encoding.h"

namespace hsmops::token {

base::Result<base::FileLock> LockToken(const Identity& identity, const std::string& folder,
                                       base::Clock& clock, base::TimePoint deadline) {
  std::string in = folder;
  if (in.empty()) in = access("/run/lock", W_OK) == 0 ? "/run/lock" : "/tmp";
  const std::string zero(1, '\0');
  const base::Digest name = base::Sha256({base::AsBytes(identity.manufacturer), base::AsBytes(zero),
                                          base::AsBytes(identity.model), base::AsBytes(zero),
                                          base::AsBytes(identity.serial)});
  const std::string path =
      fmt::format("{}/kubectl-hsm-{}.lock", in, base::Hex(base::ByteView(name).first(8)));
  return base::FileLock::Take(path, "kubectl-hsm", clock, deadline)
      .Within(fmt::format("token {}", identity.serial));
}

}  // namespace hsmops::token
