#include "libhsmops/net/credential_source.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace hsmops::net {
namespace {

std::int64_t Nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

base::Result<std::unique_ptr<CredentialSource>> CredentialSource::Open(CredentialFiles files,
                                                                       const base::Clock& clock,
                                                                       Log log) {
  std::unique_ptr<CredentialSource> source(
      new CredentialSource(std::move(files), clock, std::move(log)));
  // Before they are read: what changes in between is seen next time.
  source->seen_ = source->Look();
  source->looked_ = clock.Now();
  HSM_TRY(source->current_, Credentials::Load(source->files_, clock.Wall()));
  return source;
}

CredentialSource::Stamps CredentialSource::Look() const {
  Stamps stamps;
  const std::string* paths[] = {&files_.ca, &files_.cert, &files_.key};
  for (std::size_t i = 0; i < stamps.size(); ++i) {
    struct stat st{};
    if (stat(paths[i]->c_str(), &st) != 0) continue;
    stamps[i] = {st.st_ino, st.st_size, Nanoseconds(st.st_mtim), Nanoseconds(st.st_ctim)};
  }
  return stamps;
}

std::shared_ptr<const Credentials> CredentialSource::Current() {
  const std::lock_guard lock(mutex_);
  const base::TimePoint now = clock_.Now();
  if (now - looked_ < kCredentialLook) return current_;
  looked_ = now;
  const Stamps stamps = Look();
  // What was refused is tried again though it did not change: its time may have come.
  if (stamps == seen_ && !last_error_.has_value()) return current_;
  seen_ = stamps;
  if (auto loaded = Credentials::Load(files_, clock_.Wall()); loaded.ok()) {
    Take(*std::move(loaded));
  } else {
    Refuse(loaded.error());
  }
  return current_;
}

void CredentialSource::Take(std::shared_ptr<const Credentials> next) {
  current_ = std::move(next);
  last_error_.reset();
  if (log_)
    log_("info", fmt::format("{} was read again: valid until {}", files_.cert,
                             base::FormatTime(current_->not_after())));
}

void CredentialSource::Refuse(const base::Error& why) {
  const bool told = last_error_ && last_error_->message() == why.message();
  last_error_ = why;
  if (told || !log_) return;
  log_("warning", fmt::format("the certificate files have changed and are not taken: {}; the "
                              "certificate from before, valid until {}, stays in use",
                              why.message(), base::FormatTime(current_->not_after())));
}

std::optional<base::Error> CredentialSource::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

base::WallTime CredentialSource::not_after() const {
  const std::lock_guard lock(mutex_);
  return current_->not_after();
}

}  // namespace hsmops::net
