// How SecretStore reads and hashes every secret again, in pieces.
#include <algorithm>

#include "libhsmops/store/secret_store.h"

namespace hsmops::store {

using base::Error;
using base::ErrorCode;
using base::Result;

// The view is new, and what it lists by its labels is read one by one, by VerifyMore.
Result<Verification> SecretStore::BeginVerify() {
  HSM_RETURN_IF_ERROR(Reload(false));
  HSM_RETURN_IF_ERROR(RequireMember());
  Verification verification;
  verification.initialised = initialised_;
  for (const auto& [id, entry] : index_.entries()) {
    if (!entry.heads.empty() || Damage(id)) verification.ids.push_back(id);
  }
  return verification;
}

Result<bool> SecretStore::VerifyMore(Verification& verification,
                                     const std::function<bool()>& go_on) {
  HSM_RETURN_IF_ERROR(RequireMember());
  if (verification.initialised != initialised_)
    return Error(ErrorCode::kUnavailable, "the token was initialised while it was verified");
  const std::vector<Id>& ids = verification.ids;
  while (verification.next < ids.size()) {
    HSM_RETURN_IF_ERROR(VerifyOne(ids[verification.next++], verification.report));
    if (verification.next < ids.size() && !go_on()) return false;
  }
  for (const auto& [id, version] : ledger_.promises()) {
    const bool seen = std::binary_search(ids.begin(), ids.end(), id);
    if (!seen && index_.Find(id) == nullptr && Damage(id))
      verification.report.damaged.push_back(id);
  }
  return true;
}

Result<void> SecretStore::VerifyOne(const Id& id, VerifyReport& report) {
  const bool known = Damage(id).has_value();
  LookAgainAt(id);  // what was damaged by a wrong answer may be whole
  if (known) Touch(id);
  const auto record = ReadRecord(id);
  if (record.Is(ErrorCode::kNotFound)) return {};  // deleted and collected, or set aside
  if (!record.ok() && !record.Is(ErrorCode::kCorrupt)) {
    if (known) NoteDamage(id);
    return record.error();
  }
  ++report.secrets;
  if (record.ok()) {
    report.bytes += record->bytes();
  } else {
    report.damaged.push_back(id);
  }
  return {};
}

Result<VerifyReport> SecretStore::Verify() {
  HSM_TRY(Verification verification, BeginVerify());
  HSM_TRY(const bool whole, VerifyMore(verification, [] { return true; }));
  HSM_CHECK(whole);
  return std::move(verification.report);
}

}  // namespace hsmops::store
