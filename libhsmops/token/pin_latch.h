// PinLatch: remembers, through restarts and crashes, which PIN contents a token has refused.
//
// Tokens lock after a few wrong PINs, so a refused content is never tried again (protocol.md, 2).
// The file holds no PIN: a random salt and scrypt (RFC 7914, N 2^12, r 8, p 1) of the content.
// Every attempt is recorded, with fsync, before C_Login.
#pragma once

#include <string>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/digest.h"
#include "libhsmops/base/result.h"
#include "libhsmops/base/rng.h"

namespace hsmops::token {

class PinLatch {
 public:
  // The latch of one token; the file need not exist. kCorrupt: it is there but not to be read, and
  // then no attempt is made.
  static base::Result<PinLatch> Open(std::string path, base::Rng& rng);

  // May this content be tried now? `count_low`: the token says that a wrong PIN was entered since
  // the last success, so an attempt of ours whose end nobody saw may have been refused.
  // kAuthFailed with the reason and the way out. The rest is about the content admitted last.
  base::Result<void> Admit(base::ByteView pin, bool count_low);

  base::Result<void> Attempting();
  base::Result<void> Accepted();
  base::Result<void> Refused();

 private:
  explicit PinLatch(std::string path, base::Rng& rng) : path_(std::move(path)), rng_(&rng) {}
  bool Matches(base::ByteView pin) const;
  base::Result<void> Save() const;

  std::string path_;
  base::Rng* rng_;
  std::array<std::uint8_t, 16> salt_{};
  base::Digest key_{};
  bool known_ = false;     // salt_ and key_ are of some content
  bool admitted_ = false;  // and that content may be tried
  bool accepted_ = false;  // that content went through at least once
  bool refused_ = false;
  std::uint32_t pending_ = 0;  // attempts begun whose end was not recorded
};

}  // namespace hsmops::token
