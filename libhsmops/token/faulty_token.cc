#include "libhsmops/token/faulty_token.h"

#include "libhsmops/token/rv.h"

namespace hsmops::token {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

bool IsLie(Fault::Kind kind) { return kind >= Fault::Kind::kTruncate; }

bool Covers(const Fault& fault, std::uint64_t count) {
  return count >= fault.call && (fault.times == 0 || count - fault.call < fault.times);
}

}  // namespace

void FaultyToken::Arm(std::optional<Fault> fault) {
  fault_ = fault;
  calls_ = 0;
  reads_ = 0;
  fired_ = false;
}

Error FaultyToken::Failure(const char* function) {
  if (dead_) return {ErrorCode::kUnavailable, "the process has died"};
  if (fault_->ends_view) lost_ = true;
  return RvError(function, fault_->ends_view ? CKR_DEVICE_ERROR : CKR_FUNCTION_FAILED);
}

template <typename Call>
auto FaultyToken::Intercept(const char* function, Call call) -> decltype(call()) {
  if (dead_) return Failure(function);
  if (lost_) return RvError(function, CKR_SESSION_HANDLE_INVALID);
  ++calls_;
  if (!fault_ || IsLie(fault_->kind) || !Covers(*fault_, calls_)) return call();
  fired_ = true;
  const Fault::Kind kind = fault_->kind;
  if (kind == Fault::Kind::kFailAfter || kind == Fault::Kind::kDieAfter) {
    (void)call();  // took effect, and nobody is told
  }
  dead_ = kind == Fault::Kind::kDieBefore || kind == Fault::Kind::kDieAfter;
  return Failure(function);
}

Result<void> FaultyToken::Refresh() {
  lost_ = false;
  return Intercept("C_Initialize", [&] { return inner_.Refresh(); });
}

Result<Status> FaultyToken::ReadStatus() {
  const bool lost = std::exchange(lost_, false);  // works without a view
  auto status = Intercept("C_GetTokenInfo", [&] { return inner_.ReadStatus(); });
  lost_ = lost_ || lost;
  return status;
}

Result<void> FaultyToken::Watch() {
  return Intercept("C_GetSessionInfo", [&] { return inner_.Watch(); });
}

Result<base::Bytes> FaultyToken::Random(std::size_t size) {
  return Intercept("C_GenerateRandom", [&] { return inner_.Random(size); });
}

Result<std::vector<ObjectHandle>> FaultyToken::Find(std::string_view application) {
  return Intercept("C_FindObjects", [&] { return inner_.Find(application); });
}

Result<std::vector<ObjectHandle>> FaultyToken::FindLabel(std::string_view application,
                                                         std::string_view label) {
  return Intercept("C_FindObjects", [&] { return inner_.FindLabel(application, label); });
}

Result<StoredObject> FaultyToken::Read(ObjectHandle object) {
  auto read = Intercept("C_GetAttributeValue", [&] { return inner_.Read(object); });
  if (!read.ok()) return read;
  base::SecretBytes before = std::exchange(last_read_, read->value.Clone());
  if (!fault_ || !IsLie(fault_->kind) || !Covers(*fault_, ++reads_)) return read;
  fired_ = true;
  base::SecretBytes& value = read->value;
  switch (fault_->kind) {
    case Fault::Kind::kTruncate:
      if (!value.empty()) value.resize(value.size() - 1);
      break;
    case Fault::Kind::kFlip:
      if (!value.empty()) value.data()[value.size() / 2] ^= 1;
      break;
    case Fault::Kind::kStale:
      value = std::move(before);
      break;
    default:
      value = base::SecretBytes();
      break;
  }
  return read;
}

Result<std::string> FaultyToken::ReadLabel(ObjectHandle object) {
  return Intercept("C_GetAttributeValue", [&] { return inner_.ReadLabel(object); });
}

Result<ObjectHandle> FaultyToken::Create(std::string_view application, std::string_view label,
                                         base::ByteView value) {
  return Intercept("C_CreateObject", [&] { return inner_.Create(application, label, value); });
}

Result<void> FaultyToken::Destroy(ObjectHandle object) {
  return Intercept("C_DestroyObject", [&] { return inner_.Destroy(object); });
}

Result<void> FaultyToken::Barrier() {
  return Intercept("barrier", [&] { return inner_.Barrier(); });
}

Result<void> FaultyToken::SyncAll() {
  return Intercept("barrier", [&] { return inner_.SyncAll(); });
}

Result<std::uint64_t> FaultyToken::CollectGhosts() {
  return Intercept("ghosts", [&] { return inner_.CollectGhosts(); });
}

}  // namespace hsmops::token
