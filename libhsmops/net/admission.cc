#include "libhsmops/net/admission.h"

namespace hsmops::net {

bool Admission::OpenConnection() {
  const std::lock_guard lock(mutex_);
  if (connections_ >= limits_.connections || handshakes_ >= limits_.handshakes) return false;
  ++connections_;
  ++handshakes_;
  return true;
}

void Admission::EndHandshake() {
  const std::lock_guard lock(mutex_);
  --handshakes_;
}

void Admission::CloseConnection() {
  const std::lock_guard lock(mutex_);
  --connections_;
}

bool Admission::AddConnectionOf(const std::string& identity) {
  const std::lock_guard lock(mutex_);
  if (of_identity_.size() >= limits_.connections && !of_identity_.contains(identity)) return false;
  std::size_t& count = of_identity_[identity];
  if (count >= limits_.connections_per_identity) return false;
  ++count;
  return true;
}

void Admission::RemoveConnectionOf(const std::string& identity) {
  const std::lock_guard lock(mutex_);
  const auto found = of_identity_.find(identity);
  if (--found->second == 0) of_identity_.erase(found);
}

std::optional<base::Duration> Admission::TakeRequest(const std::string& identity) {
  const base::TimePoint now = clock_.Now();
  const std::lock_guard lock(mutex_);
  return rates_.Take(identity, now);
}

bool Admission::TakeBytes(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > limits_.body_bytes - body_bytes_) return false;
  body_bytes_ += bytes;
  return true;
}

void Admission::GiveBytes(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  body_bytes_ -= bytes;
}

std::size_t Admission::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

}  // namespace hsmops::net
