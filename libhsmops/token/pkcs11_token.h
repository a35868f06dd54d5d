// Pkcs11Token: a Token on a real PKCS#11 module (v2.40), found by its URI.
//
// Used by one thread at a time (PKCS#11 v2.40, 5.4: an application that sees to that itself passes
// no locking functions); in a token's child process that is always the same one, in an agent the
// store's lock sees to it. A watchdog thread watches the calls. Takes the host lock of the token at
// the first Refresh and keeps it. The serial that the first view found is the token's name from
// then on: another token in its place is refused. The PIN is read from its file at every login and
// wiped after.
#pragma once

#include <memory>
#include <optional>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/token/module.h"
#include "libhsmops/token/softhsm_files.h"
#include "libhsmops/token/token.h"
#include "libhsmops/token/uri.h"
#include "libhsmops/token/watchdog.h"

namespace hsmops::token {

struct Pkcs11Options {
  std::string state_folder;  // for the PIN latch; must exist, 0700
  std::string lock_folder;   // empty: /run/lock
  base::Duration lock_wait = std::chrono::seconds(10);
  std::chrono::milliseconds call_limit{15'000};
  Watchdog::OnHung on_hung;  // required: must end the process
  // Told of each call into the module and how long it took; may be empty. `function` is a literal.
  std::function<void(const char* function, base::Duration time)> on_call;
};

class Pkcs11Token : public Token {
 public:
  // Loads the module and nothing more. Sets SOFTHSM2_CONF or P11_KIT_SERVER_ADDRESS where the URI
  // has them, so no other thread may run yet that reads the environment.
  static base::Result<std::unique_ptr<Pkcs11Token>> Open(Uri uri, Pkcs11Options options,
                                                         base::Clock& clock, base::Rng& rng);
  ~Pkcs11Token() override;

  const Profile& profile() const override { return *profile_; }
  base::Result<void> Refresh() override;
  std::uint64_t view() const override { return view_; }
  bool view_lost() const override { return session_ == 0; }
  base::Result<Status> ReadStatus() override;
  base::Result<void> Watch() override;
  base::Result<base::Bytes> Random(std::size_t size) override;
  base::Result<std::vector<ObjectHandle>> Find(std::string_view application) override;
  base::Result<std::vector<ObjectHandle>> FindLabel(std::string_view application,
                                                    std::string_view label) override;
  base::Result<StoredObject> Read(ObjectHandle object) override;
  base::Result<base::SecretBytes> ReadValue(ObjectHandle object) override;
  base::Result<std::string> ReadLabel(ObjectHandle object) override;
  base::Result<ObjectHandle> Create(std::string_view application, std::string_view label,
                                    base::ByteView value) override;
  base::Result<void> Destroy(ObjectHandle object) override;
  base::Result<void> Barrier() override;
  base::Result<void> SyncAll() override;
  base::Result<std::uint64_t> CollectGhosts() override;

 private:
  Pkcs11Token(Uri uri, Pkcs11Options options, std::unique_ptr<Module> module, base::Clock& clock,
              base::Rng& rng);

  struct Slot {
    CK_SLOT_ID id = 0;
    CK_TOKEN_INFO info{};
  };
  // Makes one call under the watchdog; an error that ends the view drops the session.
  template <typename... Params, typename... Args>
  CK_RV Call(const char* name, CK_RV (*function)(Params...), Args... args);
  base::Result<void> OpenView();
  base::Result<void> Start();  // C_Initialize, unless it was; torn tokens are restored before
  base::TimePoint LockDeadline() const;  // for a lock on one of SoftHSM's files
  base::Result<base::SecretBytes> Pin();
  base::Result<std::vector<Slot>> PresentTokens();
  base::Result<Slot> FindSlot();
  base::Result<void> Adopt(const Slot& slot);  // identity, lock, profile
  base::Result<void> OpenSession(const Slot& slot);
  base::Result<void> Login(const Slot& slot);
  base::Result<std::vector<ObjectHandle>> Search(std::vector<CK_ATTRIBUTE> criteria);
  base::Result<base::SecretBytes> ReadAttribute(ObjectHandle object, CK_ATTRIBUTE_TYPE type);
  base::Result<void> Ready() const;
  base::Result<void> Ready(ObjectHandle object) const;
  void EndView();

  Uri uri_;
  Pkcs11Options options_;
  base::Clock& clock_;
  base::Rng& rng_;
  std::unique_ptr<Module> module_;
  std::optional<Identity> identity_;
  std::optional<base::FileLock> lock_;
  std::optional<SoftHsmFiles> files_;
  const Profile* profile_ = &kGeneric;
  CK_SESSION_HANDLE session_ = 0;
  std::uint64_t view_ = 0;
  PinState pin_ = PinState::kUnknown;
  base::SecretBytes scratch_;
  Watchdog watchdog_;
};

}  // namespace hsmops::token
