#include "libhsmops/token/pkcs11_token.h"

#include <fmt/format.h>

#include <cstdlib>

#include "libhsmops/base/encoding.h"
#include "libhsmops/base/mutant.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/token/host_lock.h"
#include "libhsmops/token/limits.h"
#include "libhsmops/token/pin_latch.h"
#include "libhsmops/token/rv.h"

namespace hsmops::token {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr CK_ULONG kPage = 512;            // handles per C_FindObjects
constexpr std::size_t kFirstGuess = 4096;  // most values fit, so one call reads them
constexpr int kLengthTries = 4;            // a length that keeps changing is an error

template <std::size_t N>
std::string Trimmed(const unsigned char (&field)[N]) {
  std::string text(reinterpret_cast<const char*>(field), N);
  text.erase(text.find_last_not_of(std::string_view(" \0", 2)) + 1);
  return text;
}

Identity IdentityOf(const CK_TOKEN_INFO& info) {
  return {Trimmed(info.label), Trimmed(info.manufacturerID), Trimmed(info.model),
          Trimmed(info.serialNumber)};
}

PinState PinOf(const CK_TOKEN_INFO& info, PinState last) {
  if ((info.flags & CKF_USER_PIN_LOCKED) != 0) return PinState::kLocked;
  if (last == PinState::kRejected) return last;
  if ((info.flags & CKF_USER_PIN_INITIALIZED) == 0) return PinState::kNotSet;
  if ((info.flags & CKF_USER_PIN_FINAL_TRY) != 0) return PinState::kFinalTry;
  if ((info.flags & CKF_USER_PIN_COUNT_LOW) != 0) return PinState::kCountLow;
  return last;
}

CK_ATTRIBUTE Attribute(CK_ATTRIBUTE_TYPE type, const void* value, std::size_t size) {
  return {type, const_cast<void*>(value), size};
}

CK_ATTRIBUTE Attribute(CK_ATTRIBUTE_TYPE type, std::string_view text) {
  return Attribute(type, text.data(), text.size());
}

constexpr CK_OBJECT_CLASS kDataClass = CKO_DATA;
constexpr CK_BBOOL kTrue = CK_TRUE;

// What a URI asks for, in a person's words.
std::string Wanted(const Uri& uri) {
  std::string text;
  if (uri.token) text += fmt::format("\"{}\"", base::Printable(*uri.token));
  if (uri.serial)
    text += fmt::format("{}with serial {}", text.empty() ? "" : " ", base::Printable(*uri.serial));
  if (uri.slot_id) text += fmt::format("{}in slot {}", text.empty() ? "" : " ", *uri.slot_id);
  return text;
}

// Before C_Initialize only the file's name tells. Another module has no business with the tokens in
// this machine's softhsm2.conf.
bool MayBeSoftHsm(const Uri& uri) {
  const std::string file = uri.module_path.substr(uri.module_path.rfind('/') + 1);
  return !uri.softhsm_conf.empty() || file.find("softhsm") != std::string::npos;
}

Result<base::SecretBytes> ReadPin(const std::string& path) {
  auto pin = base::ReadRegularFile(path, kMaxPinBytes + 2);
  if (!pin.ok()) return Error(ErrorCode::kAuthFailed, pin.error().Within("PIN file").message());
  std::size_t size = pin->size();
  while (size > 0 && (pin->data()[size - 1] == '\n' || pin->data()[size - 1] == '\r')) --size;
  pin->resize(size);
  if (size == 0) return Error(ErrorCode::kAuthFailed, fmt::format("PIN file {} is empty", path));
  return pin;
}

}  // namespace

Pkcs11Token::Pkcs11Token(Uri uri, Pkcs11Options options, std::unique_ptr<Module> module,
                         base::Clock& clock, base::Rng& rng)
    : uri_(std::move(uri)),
      options_(std::move(options)),
      clock_(clock),
      rng_(rng),
      module_(std::move(module)),
      watchdog_(options_.call_limit, options_.on_hung) {}

Pkcs11Token::~Pkcs11Token() { EndView(); }

Result<std::unique_ptr<Pkcs11Token>> Pkcs11Token::Open(Uri uri, Pkcs11Options options,
                                                       base::Clock& clock, base::Rng& rng) {
  HSM_CHECK(options.on_hung != nullptr);
  if (!uri.softhsm_conf.empty()) setenv("SOFTHSM2_CONF", uri.softhsm_conf.c_str(), 1);
  if (!uri.p11_kit_server.empty()) setenv("P11_KIT_SERVER_ADDRESS", uri.p11_kit_server.c_str(), 1);
  HSM_TRY(auto module, Module::Load(uri.module_path));
  return std::unique_ptr<Pkcs11Token>(
      new Pkcs11Token(std::move(uri), std::move(options), std::move(module), clock, rng));
}

template <typename... Params, typename... Args>
CK_RV Pkcs11Token::Call(const char* name, CK_RV (*function)(Params...), Args... args) {
  CK_RV rv = CKR_OK;
  const base::TimePoint began = options_.on_call ? clock_.Now() : base::TimePoint{};
  {
    const Watchdog::Call watched(watchdog_, name);
    rv = function(args...);
  }
  if (options_.on_call) options_.on_call(name, clock_.Now() - began);
  if (EndsView(rv)) session_ = 0;
  return rv;
}

Result<void> Pkcs11Token::Ready() const {
  if (session_ == 0)
    return Error(ErrorCode::kUnavailable, "no view of the token: it was lost or never opened");
  return {};
}

Result<void> Pkcs11Token::Ready(ObjectHandle object) const {
  HSM_RETURN_IF_ERROR(Ready());
  return CheckView(object, view_);
}

void Pkcs11Token::EndView() {
  session_ = 0;
  if (!module_->initialized()) return;
  const Watchdog::Call watched(watchdog_, "C_Finalize");
  module_->Finalize();
}

// Before the watchdog may take the wait for a lock for a hang.
base::TimePoint Pkcs11Token::LockDeadline() const { return clock_.Now() + options_.call_limit / 2; }

Result<void> Pkcs11Token::Start() {
  if (module_->initialized()) return {};
  if (MayBeSoftHsm(uri_)) {
    const Watchdog::Call watched(watchdog_, "looking for torn tokens");
    HSM_TRY(const int restored,
            SoftHsmFiles::RestoreTornTokens(uri_.softhsm_conf, clock_, LockDeadline()));
    (void)restored;  // the token is whole again, which is all that matters here
  }
  const Watchdog::Call watched(watchdog_, "C_Initialize");
  return module_->Initialize();
}

Result<std::vector<Pkcs11Token::Slot>> Pkcs11Token::PresentTokens() {
  CK_FUNCTION_LIST& p11 = module_->functions();
  CK_ULONG count = kMaxSlots;
  std::vector<CK_SLOT_ID> ids(kMaxSlots);
  const CK_RV rv = Call("C_GetSlotList", p11.C_GetSlotList, kTrue, ids.data(), &count);
  if (rv != CKR_OK) return RvError("C_GetSlotList", rv);
  if (count > kMaxSlots) return Error(ErrorCode::kLimit, "the module has more than 256 slots");
  std::vector<Slot> slots;
  for (CK_ULONG i = 0; i < count; ++i) {
    Slot slot{ids[i], {}};
    // A slot that cannot be read now is not the token that is looked for, or is found missing
    // below.
    if (Call("C_GetTokenInfo", p11.C_GetTokenInfo, slot.id, &slot.info) == CKR_OK)
      slots.push_back(slot);
  }
  return slots;
}

Result<Pkcs11Token::Slot> Pkcs11Token::FindSlot() {
  HSM_TRY(const std::vector<Slot> present, PresentTokens());
  std::vector<Slot> matching;
  std::string seen;
  for (const Slot& slot : present) {
    const Identity identity = IdentityOf(slot.info);
    if ((slot.info.flags & CKF_TOKEN_INITIALIZED) != 0)
      seen += fmt::format(" \"{}\"", base::Printable(identity.label));
    const auto fits = [](const auto& wanted, const auto& found) {
      return !wanted || *wanted == found;
    };
    if (fits(uri_.token, identity.label) && fits(uri_.serial, identity.serial) &&
        fits(uri_.model, identity.model) && fits(uri_.manufacturer, identity.manufacturer) &&
        fits(uri_.slot_id, std::uint64_t{slot.id})) {
      matching.push_back(slot);
    }
  }
  if (matching.empty()) {
    return Error(ErrorCode::kUnavailable, fmt::format("no token {} is present; tokens present:{}",
                                                      Wanted(uri_), seen.empty() ? " none" : seen));
  }
  if (matching.size() > 1) {
    return Error(ErrorCode::kInvalid,
                 fmt::format("{} tokens match {}: add serial=, as in serial={}", matching.size(),
                             Wanted(uri_), IdentityOf(matching[0].info).serial));
  }
  return matching[0];
}

Result<void> Pkcs11Token::Adopt(const Slot& slot) {
  const Identity identity = IdentityOf(slot.info);
  if (identity_) {
    if (*identity_ == identity) return {};
    return Error(ErrorCode::kUnavailable,
                 fmt::format("another token is in its place: serial {} instead of {}",
                             base::Printable(identity.serial), identity_->serial));
  }
  // Given back if something fails below: the next view takes it anew, and would wait for its own.
  HSM_TRY(base::FileLock lock,
          LockToken(identity, options_.lock_folder, clock_, clock_.Now() + options_.lock_wait));
  CK_INFO info{};
  const CK_RV rv = Call("C_GetInfo", module_->functions().C_GetInfo, &info);
  if (rv != CKR_OK) return RvError("C_GetInfo", rv);
  const std::string module = Trimmed(info.manufacturerID);
  if (module == "SoftHSM") files_ = SoftHsmFiles::Find(uri_.softhsm_conf, identity.serial);
  profile_ = &ProfileFor(module, identity.manufacturer, identity.model, files_.has_value());
  if (uri_.profile == kGeneric.name) profile_ = &kGeneric;
  if (profile_ != &kSoftHsm) files_.reset();
  scratch_.resize(std::max(kFirstGuess, profile_->max_object_bytes + 64));
  identity_ = identity;
  lock_ = std::move(lock);
  return {};
}

Result<void> Pkcs11Token::OpenSession(const Slot& slot) {
  CK_SESSION_HANDLE session = 0;
  const CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
  const CK_RV rv = Call("C_OpenSession", module_->functions().C_OpenSession, slot.id, flags,
                        static_cast<void*>(nullptr), static_cast<CK_NOTIFY>(nullptr), &session);
  if (rv != CKR_OK && (slot.info.flags & CKF_TOKEN_INITIALIZED) == 0)
    return RvError("C_OpenSession", rv)
        .Within("the token is not initialised, which its maker's tool does");
  if (rv != CKR_OK) return RvError("C_OpenSession", rv);
  session_ = session;
  return {};
}

Result<base::SecretBytes> Pkcs11Token::Pin() {
  const Watchdog::Call watched(watchdog_, "reading the PIN file");
  return ReadPin(uri_.pin_path);
}

Result<void> Pkcs11Token::Login(const Slot& slot) {
  if ((slot.info.flags & CKF_LOGIN_REQUIRED) == 0) return {};
  pin_ = PinOf(slot.info, pin_ == PinState::kRejected ? PinState::kUnknown : pin_);
  if (pin_ == PinState::kLocked)
    return Error(ErrorCode::kAuthFailed, "the user PIN is locked; unblock it with the SO PIN");
  if (pin_ == PinState::kNotSet)
    return Error(ErrorCode::kAuthFailed, "the token has no user PIN; initialise it first");
  if (pin_ == PinState::kFinalTry) {
    return Error(
        ErrorCode::kAuthFailed,
        "one PIN attempt is left and is not used here; log in by hand to reset the counter");
  }
  if (uri_.pin_path.empty())
    return Error(ErrorCode::kAuthFailed,
                 "the token wants a PIN: add pin-source=file:/path to its URI");
  HSM_TRY(const base::SecretBytes pin, Pin());
  HSM_TRY(PinLatch latch, PinLatch::Open(fmt::format("{}/pin-{}", options_.state_folder,
                                                     base::Hex(base::AsBytes(identity_->serial))),
                                         rng_));
  const bool count_low = (slot.info.flags & CKF_USER_PIN_COUNT_LOW) != 0;
  if (auto admitted = latch.Admit(pin.view(), count_low); !admitted.ok()) {
    pin_ = PinState::kRejected;
    return admitted;
  }
  if (files_) {
    const Watchdog::Call watched(watchdog_, "copying token.object");
    HSM_RETURN_IF_ERROR(files_->SaveTokenObject(clock_, LockDeadline()));
  }
  HSM_RETURN_IF_ERROR(latch.Attempting());
  const CK_RV rv = Call("C_Login", module_->functions().C_Login, session_, CK_USER_TYPE{CKU_USER},
                        const_cast<unsigned char*>(pin.data()), static_cast<CK_ULONG>(pin.size()));
  if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) {
    pin_ = PinState::kAccepted;
    return latch.Accepted();
  }
  const Error error = RvError("C_Login", rv);
  // A device that went away during the call said nothing about the PIN: the attempt stays pending.
  if (error.code() == ErrorCode::kUnavailable) return error;
  pin_ = PinState::kRejected;
  HSM_RETURN_IF_ERROR(latch.Refused());
  return Error(ErrorCode::kAuthFailed, fmt::format("PIN rejected: {}; correct the PIN file {}",
                                                   error.message(), uri_.pin_path));
}

Result<void> Pkcs11Token::Refresh() {
  auto opened = OpenView();
  // A file of the token's that is missing says nothing of the objects.
  if (opened.Is(ErrorCode::kNotFound))
    return Error(ErrorCode::kUnavailable, opened.error().message());
  return opened;
}

Result<void> Pkcs11Token::OpenView() {
  EndView();
  if (files_) files_->Forget();
  HSM_RETURN_IF_ERROR(Start());
  HSM_TRY(const Slot slot, FindSlot());
  HSM_RETURN_IF_ERROR(Adopt(slot));
  HSM_RETURN_IF_ERROR(OpenSession(slot));
  if (auto login = Login(slot); !login.ok()) {
    EndView();
    return login;
  }
  ++view_;
  return {};
}

Result<Status> Pkcs11Token::ReadStatus() {
  HSM_RETURN_IF_ERROR(Start());
  HSM_TRY(const Slot slot, FindSlot());
  Status status;
  status.identity = IdentityOf(slot.info);
  if (identity_ && !(*identity_ == status.identity)) return Adopt(slot).error();
  status.pin = PinOf(slot.info, pin_);
  status.initialized = (slot.info.flags & CKF_TOKEN_INITIALIZED) != 0;
  status.write_protected = (slot.info.flags & CKF_WRITE_PROTECTED) != 0;
  if (files_) {
    HSM_RETURN_IF_ERROR(files_->Present());
    HSM_TRY(status.free_bytes, files_->FreeBytes());
  } else if (slot.info.ulFreePrivateMemory != CK_UNAVAILABLE_INFORMATION &&
             slot.info.ulTotalPrivateMemory != 0 &&
             slot.info.ulTotalPrivateMemory != CK_UNAVAILABLE_INFORMATION) {
    status.free_bytes = slot.info.ulFreePrivateMemory;
  }
  if (session_ != 0) {
    CK_SESSION_INFO session{};
    const CK_RV rv =
        Call("C_GetSessionInfo", module_->functions().C_GetSessionInfo, session_, &session);
    if (rv != CKR_OK) return RvError("C_GetSessionInfo", rv);
  }
  return status;
}

// Asks: a blocking C_WaitForSlotEvent would be a second thread in the module (protocol.md, 2), and
// without blocking not every module has events.
Result<void> Pkcs11Token::Watch() {
  HSM_RETURN_IF_ERROR(Ready());
  const Result<Status> status = ReadStatus();
  if (!status.ok()) {
    session_ = 0;
    return status.error();
  }
  // tpm2-pkcs11 1.9 tells of its token without asking the TPM. A token without a generator of its
  // own refuses this too, and its view stands.
  const Result<base::Bytes> random = Random(1);
  if (session_ == 0) return random.error();
  return {};
}

Result<base::Bytes> Pkcs11Token::Random(std::size_t size) {
  HSM_RETURN_IF_ERROR(Ready());
  base::Bytes bytes(size);
  const CK_RV rv = Call("C_GenerateRandom", module_->functions().C_GenerateRandom, session_,
                        bytes.data(), static_cast<CK_ULONG>(bytes.size()));
  if (rv != CKR_OK) return RvError("C_GenerateRandom", rv);
  return bytes;
}

Result<std::vector<ObjectHandle>> Pkcs11Token::Search(std::vector<CK_ATTRIBUTE> criteria) {
  HSM_RETURN_IF_ERROR(Ready());
  CK_FUNCTION_LIST& p11 = module_->functions();
  CK_RV rv = Call("C_FindObjectsInit", p11.C_FindObjectsInit, session_, criteria.data(),
                  static_cast<CK_ULONG>(criteria.size()));
  if (rv != CKR_OK) return RvError("C_FindObjectsInit", rv);
  std::vector<ObjectHandle> found;
  CK_ULONG count = 0;
  const CK_ULONG page = base::On(base::Mutant::kPageOf100) ? 100 : kPage;
  std::vector<CK_OBJECT_HANDLE> handles(page);
  // A page that is not full is not the end either: only an empty one is (PKCS#11 v2.40, 5.7).
  do {
    rv = Call("C_FindObjects", p11.C_FindObjects, session_, handles.data(), page, &count);
    if (rv != CKR_OK || count > page) break;
    for (CK_ULONG i = 0; i < count; ++i) found.push_back({handles[i], view_});
  } while (count > 0 && found.size() <= profile_->max_objects * 2 &&
           !base::On(base::Mutant::kPageOf100));
  const CK_RV final_rv =
      session_ == 0 ? rv : Call("C_FindObjectsFinal", p11.C_FindObjectsFinal, session_);
  if (rv != CKR_OK) return RvError("C_FindObjects", rv);
  if (count > page)
    return Error(ErrorCode::kUnavailable, "C_FindObjects answered more handles than asked for");
  if (final_rv != CKR_OK) return RvError("C_FindObjectsFinal", final_rv);
  if (found.size() > profile_->max_objects * 2) {
    return Error(ErrorCode::kLimit,
                 fmt::format("more than {} objects on the token", profile_->max_objects * 2));
  }
  return found;
}

Result<std::vector<ObjectHandle>> Pkcs11Token::Find(std::string_view application) {
  return Search({Attribute(CKA_CLASS, &kDataClass, sizeof kDataClass),
                 Attribute(CKA_APPLICATION, application)});
}

Result<std::vector<ObjectHandle>> Pkcs11Token::FindLabel(std::string_view application,
                                                         std::string_view label) {
  return Search({Attribute(CKA_CLASS, &kDataClass, sizeof kDataClass),
                 Attribute(CKA_APPLICATION, application), Attribute(CKA_LABEL, label)});
}

// The two-call form of C_GetAttributeValue (PKCS#11 v2.40, 5.7), for values that the scratch buffer
// does not hold. A length that changes between the calls is asked again, a few times.
Result<base::SecretBytes> Pkcs11Token::ReadAttribute(ObjectHandle object, CK_ATTRIBUTE_TYPE type) {
  CK_FUNCTION_LIST& p11 = module_->functions();
  for (int tries = 0; tries < kLengthTries; ++tries) {
    CK_ATTRIBUTE attribute = Attribute(type, nullptr, 0);
    CK_RV rv = Call("C_GetAttributeValue", p11.C_GetAttributeValue, session_,
                    CK_OBJECT_HANDLE{object.value}, &attribute, CK_ULONG{1});
    if (rv != CKR_OK) return RvError("C_GetAttributeValue", rv);
    if (attribute.ulValueLen > kMaxAttributeBytes) {
      return Error(ErrorCode::kUnavailable,
                   "C_GetAttributeValue answered a length of more than 64 MiB");
    }
    base::SecretBytes value(attribute.ulValueLen);
    attribute = Attribute(type, value.data(), value.size());
    rv = Call("C_GetAttributeValue", p11.C_GetAttributeValue, session_,
              CK_OBJECT_HANDLE{object.value}, &attribute, CK_ULONG{1});
    if (rv == CKR_BUFFER_TOO_SMALL) continue;
    if (rv != CKR_OK) return RvError("C_GetAttributeValue", rv);
    if (attribute.ulValueLen > value.size()) continue;
    value.resize(attribute.ulValueLen);
    return value;
  }
  return Error(ErrorCode::kUnavailable,
               "C_GetAttributeValue: the length of an attribute keeps changing");
}

Result<StoredObject> Pkcs11Token::Read(ObjectHandle object) {
  HSM_RETURN_IF_ERROR(Ready(object));
  unsigned char label[256];
  CK_ATTRIBUTE both[] = {Attribute(CKA_LABEL, label, sizeof label),
                         Attribute(CKA_VALUE, scratch_.data(), scratch_.size())};
  const CK_RV rv =
      Call("C_GetAttributeValue", module_->functions().C_GetAttributeValue, session_,
           CK_OBJECT_HANDLE{object.value}, static_cast<CK_ATTRIBUTE*>(both), CK_ULONG{2});
  const bool fits = both[0].ulValueLen <= sizeof label && both[1].ulValueLen <= scratch_.size();
  if (rv == CKR_OK && fits) {
    return StoredObject{std::string(reinterpret_cast<char*>(label), both[0].ulValueLen),
                        base::SecretBytes(scratch_.view().first(both[1].ulValueLen))};
  }
  if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL) return RvError("C_GetAttributeValue", rv);
  HSM_TRY(std::string text, ReadLabel(object));
  HSM_TRY(base::SecretBytes value, ReadAttribute(object, CKA_VALUE));
  return StoredObject{std::move(text), std::move(value)};
}

Result<base::SecretBytes> Pkcs11Token::ReadValue(ObjectHandle object) {
  HSM_RETURN_IF_ERROR(Ready(object));
  CK_ATTRIBUTE value = Attribute(CKA_VALUE, scratch_.data(), scratch_.size());
  const CK_RV rv = Call("C_GetAttributeValue", module_->functions().C_GetAttributeValue, session_,
                        CK_OBJECT_HANDLE{object.value}, &value, CK_ULONG{1});
  if (rv == CKR_OK && value.ulValueLen <= scratch_.size())
    return base::SecretBytes(scratch_.view().first(value.ulValueLen));
  if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL) return RvError("C_GetAttributeValue", rv);
  return ReadAttribute(object, CKA_VALUE);
}

Result<std::string> Pkcs11Token::ReadLabel(ObjectHandle object) {
  HSM_RETURN_IF_ERROR(Ready(object));
  HSM_TRY(const base::SecretBytes label, ReadAttribute(object, CKA_LABEL));
  return std::string(label.view().begin(), label.view().end());
}

Result<ObjectHandle> Pkcs11Token::Create(std::string_view application, std::string_view label,
                                         base::ByteView value) {
  HSM_RETURN_IF_ERROR(Ready());
  if (value.size() > profile_->max_object_bytes) {
    return Error(ErrorCode::kLimit,
                 fmt::format("an object of {} bytes; {} tokens take at most {}", value.size(),
                             profile_->name, profile_->max_object_bytes));
  }
  CK_ATTRIBUTE attributes[] = {Attribute(CKA_CLASS, &kDataClass, sizeof kDataClass),
                               Attribute(CKA_TOKEN, &kTrue, sizeof kTrue),
                               Attribute(CKA_PRIVATE, &kTrue, sizeof kTrue),
                               Attribute(CKA_APPLICATION, application),
                               Attribute(CKA_LABEL, label),
                               Attribute(CKA_VALUE, value.data(), value.size())};
  CK_OBJECT_HANDLE handle = 0;
  const CK_RV rv =
      Call("C_CreateObject", module_->functions().C_CreateObject, session_,
           static_cast<CK_ATTRIBUTE*>(attributes), CK_ULONG{std::size(attributes)}, &handle);
  const bool refused = rv == CKR_ATTRIBUTE_VALUE_INVALID || rv == CKR_TEMPLATE_INCONSISTENT ||
                       rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_FUNCTION_NOT_SUPPORTED;
  if (refused && !value.empty()) {
    return Error(
        ErrorCode::kInvalid,
        fmt::format("token \"{}\" ({}) takes no private CKO_DATA objects, so it cannot hold "
                    "secrets: {}; name another token by module-path and token",
                    base::Printable(identity_->label), base::Printable(identity_->model),
                    RvError("C_CreateObject", rv).message()));
  }
  if (rv != CKR_OK) {
    // SoftHSM says CKR_GENERAL_ERROR when its disk is full.
    const auto full = files_ ? files_->CheckRoom(profile_->min_free_bytes) : Result<void>();
    if (full.Is(ErrorCode::kLimit))
      return full.error().Within(RvError("C_CreateObject", rv).message());
    return RvError("C_CreateObject", rv);
  }
  if (files_) files_->CountCreate();
  return ObjectHandle{handle, view_};
}

Result<void> Pkcs11Token::Destroy(ObjectHandle object) {
  HSM_RETURN_IF_ERROR(Ready(object));
  const CK_RV rv = Call("C_DestroyObject", module_->functions().C_DestroyObject, session_,
                        CK_OBJECT_HANDLE{object.value});
  if (rv != CKR_OK) return RvError("C_DestroyObject", rv);
  return {};
}

Result<void> Pkcs11Token::Barrier() {
  HSM_RETURN_IF_ERROR(Ready());
  if (!files_) return {};
  return files_->Barrier(profile_->BytesKeptFree(true));
}

Result<void> Pkcs11Token::SyncAll() {
  HSM_RETURN_IF_ERROR(Ready());
  if (!files_) return {};
  return files_->SyncAll();
}

Result<std::uint64_t> Pkcs11Token::CollectGhosts() {
  if (!files_) return std::uint64_t{0};
  HSM_TRY(const std::vector<std::string> ghosts, files_->Ghosts());
  if (ghosts.empty()) return std::uint64_t{0};
  EndView();
  return files_->CollectGhosts(ghosts);
}

}  // namespace hsmops::token
