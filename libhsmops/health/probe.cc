#include "libhsmops/health/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace hsmops::health {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using mirror::ProbeStep;

constexpr std::size_t kRandomBytes = 16;

Result<void> CheckPin(const token::Status& status) {
  switch (status.pin) {
    case token::PinState::kLocked:
      return Error(ErrorCode::kAuthFailed, "the user PIN is locked");
    case token::PinState::kRejected:
      return Error(ErrorCode::kAuthFailed, "the PIN was rejected");
    case token::PinState::kNotSet:
      return Error(ErrorCode::kAuthFailed, "the token has no user PIN");
    case token::PinState::kFinalTry:
      return Error(ErrorCode::kAuthFailed, "one PIN attempt is left");
    default:
      return {};
  }
}

Result<void> CheckRandom(token::Token& token) {
  HSM_TRY(const base::Bytes bytes, token.Random(kRandomBytes));
  if (std::all_of(bytes.begin(), bytes.end(), [&](std::uint8_t b) { return b == bytes[0]; })) {
    return Error(ErrorCode::kCorrupt, "16 random bytes are all alike");
  }
  return {};
}

Result<void> CheckCanary(token::Token& token, store::SecretStore& store) {
  if (store.standing() != store::Standing::kMember)
    return Error(ErrorCode::kUnavailable, store.standing_reason());
  const auto& objects = store.index().epoch_objects();
  HSM_TRY(const token::StoredObject object, token.Read(objects.back()));
  HSM_TRY(const store::EpochRecord record, store::EpochRecord::Decode(object.value.view()));
  if (record.sequence != store.index().epoch()->sequence)
    return Error(ErrorCode::kCorrupt, "the EPOCH object reads differently now");
  return {};
}

Result<void> CheckRoom(token::Token& token, store::SecretStore& store) {
  HSM_TRY(const token::Status status, token.ReadStatus());
  const token::Profile& profile = token.profile();
  if (status.free_bytes && *status.free_bytes < profile.min_free_bytes) {
    return Error(ErrorCode::kLimit, fmt::format("{} bytes free, {} are kept free",
                                                *status.free_bytes, profile.min_free_bytes));
  }
  const std::uint64_t used = store.index().objects();
  if (used + profile.max_objects / 20 > profile.max_objects) {
    return Error(ErrorCode::kLimit,
                 fmt::format("{} of {} objects used", used, profile.max_objects));
  }
  return {};
}

}  // namespace

std::vector<ProbeStep> Climb(token::Token& token, store::SecretStore& store, const store::Uid& pool,
                             const store::Uid& member, base::Clock& clock) {
  std::vector<ProbeStep> steps;
  bool failed = false;
  const auto rung = [&](const char* name, const std::function<Result<void>()>& check) {
    ProbeStep step;
    step.name = name;
    if (!failed) {
      const base::TimePoint begin = clock.Now();
      const Result<void> outcome = check();
      step.microseconds = static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(clock.Now() - begin).count());
      step.outcome = outcome.ok() ? ProbeStep::Outcome::kPassed : ProbeStep::Outcome::kFailed;
      if (!outcome.ok()) step.message = outcome.error().message();
      failed = !outcome.ok();
    }
    steps.push_back(std::move(step));
  };
  rung("slot", [&]() -> Result<void> {
    HSM_TRY(const token::Status status, token.ReadStatus());
    if (!status.initialized) return Error(ErrorCode::kUnavailable, "the token is not initialised");
    return {};
  });
  rung("pin", [&]() -> Result<void> {
    HSM_TRY(const token::Status status, token.ReadStatus());
    return CheckPin(status);
  });
  rung("session", [&]() -> Result<void> {
    // A token that is no member is looked at again: it may have been put right meanwhile.
    if (store.current() && store.standing() == store::Standing::kMember) return {};
    HSM_TRY(const store::Standing standing, store.Open(pool, member));
    (void)standing;  // the canary tells it
    return {};
  });
  rung("random", [&] { return CheckRandom(token); });
  rung("canary", [&] { return CheckCanary(token, store); });
  rung("room", [&] { return CheckRoom(token, store); });
  return steps;
}

}  // namespace hsmops::health
