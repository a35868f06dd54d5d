// Token: the seam to one HSM, as much of PKCS#11 v2.40 as this program uses.
//
// All objects are CKO_DATA with CKA_TOKEN and CKA_PRIVATE true, never modified after creation
// (protocol.md, 1 and 2). A *view* is what the module shows between C_Initialize and C_Finalize;
// handles belong to the view that gave them, and in any other are refused as kUnavailable. An
// implementation is used by one thread at a time.
//
// Errors: kUnavailable when the device could not be asked (then view_lost() tells whether only
// Refresh helps), kAuthFailed when the PIN is refused (never tried again), kNotFound for an object
// that is not there and for nothing else, kLimit when the token is full or the object too large.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/result.h"
#include "libhsmops/token/profile.h"

namespace hsmops::token {

// CK_TOKEN_INFO (PKCS#11 v2.40, 3.2), blanks trimmed. The serial names the token, not the slot.
struct Identity {
  std::string label;
  std::string manufacturer;
  std::string model;
  std::string serial;
  bool operator==(const Identity&) const = default;
};

enum class PinState : std::uint8_t {
  kUnknown,
  kAccepted,  // the last login with this PIN went through
  kCountLow,  // somebody entered a wrong PIN since the last success (CKF_USER_PIN_COUNT_LOW)
  kFinalTry,  // one attempt left: this program will not use it
  kLocked,
  kRejected,  // this very PIN was refused; latched until its source changes
  kNotSet,    // the token has no user PIN yet (CKF_USER_PIN_INITIALIZED is clear)
};
std::string_view Name(PinState state);

struct Status {
  Identity identity;
  PinState pin = PinState::kUnknown;
  bool initialized = false;
  bool write_protected = false;
  std::optional<std::uint64_t>
      free_bytes;  // of private memory or of the disk below; unset: the token does not say
};

// A number alone would not do: modules give the same ones out again in the next view, to other
// objects.
struct ObjectHandle {
  std::uint64_t value = 0;
  std::uint64_t view = 0;  // that gave it
  auto operator<=>(const ObjectHandle&) const = default;
};
// kUnavailable unless this view gave the handle: look again.
base::Result<void> CheckView(ObjectHandle object, std::uint64_t view);

struct StoredObject {
  std::string label;
  base::SecretBytes value;
};

class Token {
 public:
  virtual ~Token() = default;

  virtual const Profile& profile() const = 0;

  // Begins a new view: everything is read from the device again, with one login. Also the way back
  // after a device was away. Handles of earlier views are dead.
  virtual base::Result<void> Refresh() = 0;
  // Counts the views; 0 before the first.
  virtual std::uint64_t view() const = 0;
  // True after an error that ended the view (device removed, session closed, module not
  // initialised).
  virtual bool view_lost() const = 0;

  // Asks the device now. Works without a view where the module allows it.
  virtual base::Result<Status> ReadStatus() = 0;
  // Looks whether the device that this view was read from is still there, without a login. An
  // error: it is not, or nobody can tell; the view is lost then.
  virtual base::Result<void> Watch() = 0;
  virtual base::Result<base::Bytes> Random(std::size_t size) = 0;

  // Every CKO_DATA object with this CKA_APPLICATION, searched to the end.
  virtual base::Result<std::vector<ObjectHandle>> Find(std::string_view application) = 0;
  // Every one with this CKA_LABEL too.
  virtual base::Result<std::vector<ObjectHandle>> FindLabel(std::string_view application,
                                                            std::string_view label) = 0;
  virtual base::Result<StoredObject> Read(ObjectHandle object) = 0;
  // CKA_VALUE alone, which costs half of Read where every attribute is decrypted.
  virtual base::Result<base::SecretBytes> ReadValue(ObjectHandle object);
  virtual base::Result<std::string> ReadLabel(ObjectHandle object) = 0;

  // kUnavailable says nothing about whether the object exists now: Refresh and look.
  virtual base::Result<ObjectHandle> Create(std::string_view application, std::string_view label,
                                            base::ByteView value) = 0;
  virtual base::Result<void> Destroy(ObjectHandle object) = 0;

  // W5 of protocol.md, and with Proof::kFiles W6 too: everything created since the last barrier is
  // whole and on stable storage. An error: nothing is known about those objects.
  virtual base::Result<void> Barrier() = 0;
  // The same for everything that this view shows, which a process before this one may have left
  // behind.
  virtual base::Result<void> SyncAll() = 0;

  // Removes what refused or killed creates left on the medium (quirks of the driver). Never touches
  // an object that anybody could have meant.
  virtual base::Result<std::uint64_t> CollectGhosts() { return std::uint64_t{0}; }
};

}  // namespace hsmops::token
