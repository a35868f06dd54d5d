// MemoryToken: a Token in memory that behaves as the real ones do, for tests and the simulator.
//
// What was created but not made durable by Barrier (Proof::kFiles) or was never durable at all
// (`lose_unsynced`) is gone after a Crash, as on SoftHSM with a full disk or a pulled plug.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "libhsmops/base/rng.h"
#include "libhsmops/token/token.h"

namespace hsmops::token {

class MemoryToken : public Token {
 public:
  MemoryToken(Identity identity, const Profile& profile, base::Rng& rng);

  const Profile& profile() const override { return *profile_; }
  base::Result<void> Refresh() override;
  std::uint64_t view() const override { return view_; }
  bool view_lost() const override { return view_lost_; }
  base::Result<Status> ReadStatus() override;
  base::Result<void> Watch() override;
  base::Result<base::Bytes> Random(std::size_t size) override;
  base::Result<std::vector<ObjectHandle>> Find(std::string_view application) override;
  base::Result<std::vector<ObjectHandle>> FindLabel(std::string_view application,
                                                    std::string_view label) override;
  base::Result<StoredObject> Read(ObjectHandle object) override;
  base::Result<std::string> ReadLabel(ObjectHandle object) override;
  base::Result<ObjectHandle> Create(std::string_view application, std::string_view label,
                                    base::ByteView value) override;
  base::Result<void> Destroy(ObjectHandle object) override;
  base::Result<void> Barrier() override;
  base::Result<void> SyncAll() override { return Barrier(); }

  // The world's side of it.
  void Unplug();  // every call fails and the view is lost, until Replug and Refresh
  void Replug() { plugged_ = true; }
  void Crash(bool lose_unsynced);  // the process died: view gone, perhaps what was not yet durable
  void SwallowWrites(bool on) { swallow_ = on; }  // creates answer OK and are gone at the next view
  void SetIdentity(Identity identity) { identity_ = std::move(identity); }
  void SetPin(PinState pin) { pin_ = pin; }
  void SetMaxObjects(std::size_t count) { max_objects_ = count; }
  void Wipe() { objects_.clear(); }
  std::size_t object_count() const { return objects_.size(); }
  // Changes a stored value from outside: bit rot.
  void Corrupt(std::string_view label, std::size_t at);
  void Remove(std::string_view label);
  std::vector<std::string> Labels() const;
  // Puts a foreign or malformed object on it.
  void Plant(std::string application, std::string label, base::ByteView value);

 private:
  struct Object {
    std::string application;
    std::string label;
    base::SecretBytes value;
    bool durable = false;
    bool swallowed = false;
  };
  base::Result<void> Ready() const;
  base::Result<Object*> At(ObjectHandle object);

  Identity identity_;
  const Profile* profile_;
  base::Rng& rng_;
  std::map<std::uint64_t, Object> objects_;
  std::uint64_t next_ = 1;
  std::uint64_t view_ = 0;
  bool view_lost_ = true;
  bool plugged_ = true;
  bool swallow_ = false;
  PinState pin_ = PinState::kAccepted;
  std::size_t max_objects_ = 1'000'000;
};

}  // namespace hsmops::token
