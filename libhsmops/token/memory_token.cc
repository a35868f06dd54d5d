#include "libhsmops/token/memory_token.h"

#include "libhsmops/token/rv.h"

namespace hsmops::token {

using base::Error;
using base::ErrorCode;
using base::Result;

MemoryToken::MemoryToken(Identity identity, const Profile& profile, base::Rng& rng)
    : identity_(std::move(identity)), profile_(&profile), rng_(rng) {}

Result<void> MemoryToken::Ready() const {
  if (!plugged_) return RvError("token", CKR_DEVICE_REMOVED);
  if (view_lost_) return RvError("token", CKR_SESSION_HANDLE_INVALID);
  return {};
}

Result<MemoryToken::Object*> MemoryToken::At(ObjectHandle object) {
  HSM_RETURN_IF_ERROR(Ready());
  HSM_RETURN_IF_ERROR(CheckView(object, view_));
  const auto found = objects_.find(object.value);
  if (found == objects_.end()) return RvError("object", CKR_OBJECT_HANDLE_INVALID);
  return &found->second;
}

Result<void> MemoryToken::Refresh() {
  if (!plugged_) return RvError("C_OpenSession", CKR_TOKEN_NOT_PRESENT);
  if (pin_ == PinState::kRejected || pin_ == PinState::kLocked) {
    return Error(ErrorCode::kAuthFailed, "PIN rejected");
  }
  std::erase_if(objects_, [](const auto& entry) { return entry.second.swallowed; });
  view_lost_ = false;
  ++view_;
  return {};
}

Result<Status> MemoryToken::ReadStatus() {
  if (!plugged_) return RvError("C_GetTokenInfo", CKR_TOKEN_NOT_PRESENT);
  return Status{identity_, pin_, true, false, std::nullopt};
}

Result<void> MemoryToken::Watch() { return Ready(); }

Result<base::Bytes> MemoryToken::Random(std::size_t size) {
  HSM_RETURN_IF_ERROR(Ready());
  base::Bytes bytes(size);
  rng_.Fill(bytes);
  return bytes;
}

Result<std::vector<ObjectHandle>> MemoryToken::Find(std::string_view application) {
  HSM_RETURN_IF_ERROR(Ready());
  std::vector<ObjectHandle> found;
  for (const auto& [handle, object] : objects_) {
    if (object.application == application) found.push_back({handle, view_});
  }
  return found;
}

Result<std::vector<ObjectHandle>> MemoryToken::FindLabel(std::string_view application,
                                                         std::string_view label) {
  HSM_RETURN_IF_ERROR(Ready());
  std::vector<ObjectHandle> found;
  for (const auto& [handle, object] : objects_) {
    if (object.application == application && object.label == label)
      found.push_back({handle, view_});
  }
  return found;
}

Result<StoredObject> MemoryToken::Read(ObjectHandle object) {
  HSM_TRY(const Object* found, At(object));
  return StoredObject{found->label, found->value.Clone()};
}

Result<std::string> MemoryToken::ReadLabel(ObjectHandle object) {
  HSM_TRY(const Object* found, At(object));
  return found->label;
}

Result<ObjectHandle> MemoryToken::Create(std::string_view application, std::string_view label,
                                         base::ByteView value) {
  HSM_RETURN_IF_ERROR(Ready());
  if (value.size() > profile_->max_object_bytes)
    return RvError("C_CreateObject", CKR_DATA_LEN_RANGE);
  if (objects_.size() >= max_objects_) return RvError("C_CreateObject", CKR_DEVICE_MEMORY);
  const std::uint64_t handle = next_++;
  objects_.emplace(handle,
                   Object{std::string(application), std::string(label), base::SecretBytes(value),
                          !swallow_ && profile_->proof == Proof::kFreshView, swallow_});
  return ObjectHandle{handle, view_};
}

Result<void> MemoryToken::Destroy(ObjectHandle object) {
  HSM_RETURN_IF_ERROR(At(object));
  objects_.erase(object.value);
  return {};
}

Result<void> MemoryToken::Barrier() {
  HSM_RETURN_IF_ERROR(Ready());
  for (auto& [handle, object] : objects_) {
    if (object.swallowed && profile_->proof == Proof::kFiles) {
      return Error(ErrorCode::kLimit, "an object's file is not whole: is the disk full?");
    }
    object.durable = !object.swallowed;
  }
  return {};
}

void MemoryToken::Unplug() {
  plugged_ = false;
  view_lost_ = true;
}

void MemoryToken::Crash(bool lose_unsynced) {
  view_lost_ = true;
  std::erase_if(objects_, [&](const auto& entry) {
    return entry.second.swallowed || (lose_unsynced && !entry.second.durable);
  });
}

void MemoryToken::Corrupt(std::string_view label, std::size_t at) {
  for (auto& [handle, object] : objects_) {
    if (object.label == label && at < object.value.size()) object.value.data()[at] ^= 0x10;
  }
}

void MemoryToken::Remove(std::string_view label) {
  std::erase_if(objects_, [&](const auto& entry) { return entry.second.label == label; });
}

std::vector<std::string> MemoryToken::Labels() const {
  std::vector<std::string> labels;
  for (const auto& [handle, object] : objects_) labels.push_back(object.label);
  return labels;
}

void MemoryToken::Plant(std::string application, std::string label, base::ByteView value) {
  objects_.emplace(next_++, Object{std::move(application), std::move(label),
                                   base::SecretBytes(value), true, false});
}

}  // namespace hsmops::token
