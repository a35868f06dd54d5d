#include "libhsmops/token/pin_latch.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "libhsmops/base/file.h"
#include "libhsmops/base/mutant.h"
#include "libhsmops/base/wire.h"

namespace hsmops::token {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr std::uint32_t kMagic = 0x4B50494E;  // "KPIN"
constexpr std::size_t kMaxFileBytes = 256;
// An attempt that a crash cut short may be repeated this often while the token shows no refusal.
constexpr std::uint32_t kMaxPending = 2;

base::Digest Key(base::ByteView pin, base::ByteView salt) {
  base::Digest key{};
  HSM_CHECK(EVP_PBE_scrypt(reinterpret_cast<const char*>(pin.data()), pin.size(), salt.data(),
                           salt.size(), 1 << 12, 8, 1, std::uint64_t{64} << 20, key.data(),
                           key.size()) == 1);
  return key;
}

}  // namespace

Result<PinLatch> PinLatch::Open(std::string path, base::Rng& rng) {
  PinLatch latch(std::move(path), rng);
  auto content = base::ReadFile(latch.path_, kMaxFileBytes);
  if (content.Is(ErrorCode::kNotFound)) return latch;
  if (!content.ok()) return content.error().Within("PIN latch");
  base::Reader in(content->view());
  if (in.U32() != kMagic) in.Fail();
  latch.salt_ = in.Array<16>();
  latch.key_ = in.Array<32>();
  latch.accepted_ = in.Bool();
  latch.refused_ = in.Bool();
  latch.pending_ = in.U32();
  latch.known_ = true;
  HSM_RETURN_IF_ERROR(in.Finish("PIN latch " + latch.path_));
  return latch;
}

bool PinLatch::Matches(base::ByteView pin) const {
  return known_ && base::Equal(Key(pin, salt_), key_);
}

// The key is derived here and nowhere else: scrypt is most of what a login costs.
Result<void> PinLatch::Admit(base::ByteView pin, bool count_low) {
  admitted_ = false;
  if (!Matches(pin)) {
    rng_->Fill(salt_);
    key_ = Key(pin, salt_);
    known_ = true;
    accepted_ = false;
    refused_ = false;
    pending_ = 0;
  }
  const bool latched = !base::On(base::Mutant::kPinRetried);
  if (latched && refused_) {
    return Error(ErrorCode::kAuthFailed,
                 "PIN rejected: the token refused this PIN before and it is not tried again; "
                 "correct the PIN file that pin-source names");
  }
  if (latched && pending_ > 0 && (count_low || (!accepted_ && pending_ >= kMaxPending))) {
    return Error(ErrorCode::kAuthFailed,
                 fmt::format("PIN rejected: an attempt with this PIN was cut short and the token "
                             "may have refused it; "
                             "correct the PIN file, or remove {} to try it once more",
                             path_));
  }
  admitted_ = true;
  return {};
}

Result<void> PinLatch::Attempting() {
  HSM_CHECK(admitted_);
  ++pending_;
  return Save();
}

Result<void> PinLatch::Accepted() {
  accepted_ = true;
  refused_ = false;
  pending_ = 0;
  return Save();
}

Result<void> PinLatch::Refused() {
  refused_ = true;
  return Save();
}

Result<void> PinLatch::Save() const {
  base::Writer out;
  out.U32(kMagic);
  out.Raw(salt_);
  out.Raw(key_);
  out.Bool(accepted_);
  out.Bool(refused_);
  out.U32(pending_);
  return base::WriteFile(path_, out.view(), 0600).Within("PIN latch");
}

}  // namespace hsmops::token
