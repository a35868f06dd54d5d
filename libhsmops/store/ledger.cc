#include "libhsmops/store/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "libhsmops/base/wire.h"
#include "libhsmops/store/version_bytes.h"

namespace hsmops::store {
namespace {

using base::Error;
using base::ErrorCode;
using base::Reader;
using base::Result;
using base::Writer;

// One entry: kind (8 bits), length of the body (32), body, the first 8 bytes of SHA-256 of all
// before.
enum class Kind : std::uint8_t { kFormat = 1, kState = 2, kPromise = 3, kForget = 4, kWiping = 5 };
constexpr std::uint64_t kFormatNumber = 0x4B4C454447455231;  // "KLEDGER1"
constexpr std::size_t kSumBytes = 8;
constexpr std::size_t kMaxLogBytes = std::size_t{256} << 20;
constexpr std::size_t kRewriteAbove =
    4096;  // entries more than twice what the map holds: the log is rewritten

void AddEntry(Writer& out, Kind kind, base::ByteView body) {
  Writer entry;
  entry.U8(static_cast<std::uint8_t>(kind));
  entry.String(body);
  const base::Digest sum = base::Sha256(entry.view());
  out.Raw(entry.view());
  out.Raw(base::ByteView(sum).first(kSumBytes));
}

void AddFormat(Writer& out) {
  Writer body;
  body.U64(kFormatNumber);
  AddEntry(out, Kind::kFormat, body.view());
}

void AddState(Writer& out, const LedgerState& state) {
  Writer body;
  body.Raw(state.pool);
  body.Raw(state.member);
  body.String(state.serial);
  WriteEpoch(body, state.epoch);
  body.U64(state.generation);
  body.U64(state.lsn);
  body.Bool(state.primary);
  body.Bool(state.frozen.has_value());
  WriteEpoch(body, state.frozen.value_or(Epoch{}));
  WriteVersion(body, state.collected);
  AddEntry(out, Kind::kState, body.view());
}

void AddPromise(Writer& out, const Id& id, const Version& version) {
  Writer body;
  body.Raw(id);
  WriteVersion(body, version);
  AddEntry(out, Kind::kPromise, body.view());
}

void AddWiping(Writer& out, bool wiping) {
  Writer body;
  body.Bool(wiping);
  AddEntry(out, Kind::kWiping, body.view());
}

LedgerState ReadState(Reader& in) {
  LedgerState state;
  state.pool = in.Array<16>();
  state.member = in.Array<16>();
  state.serial = in.Text();
  state.epoch = ReadEpoch(in);
  state.generation = in.U64();
  state.lsn = in.U64();
  state.primary = in.Bool();
  const bool frozen = in.Bool();
  const Epoch target = ReadEpoch(in);
  if (frozen) state.frozen = target;
  if (in.left() > 0) state.collected = ReadVersion(in);  // entries of before it was kept end here
  return state;
}

}  // namespace

Result<Ledger> Ledger::Open(std::string path) {
  Ledger ledger(std::move(path));
  auto log = base::ReadFile(ledger.path_, kMaxLogBytes);
  if (!log.ok() && !log.Is(ErrorCode::kNotFound)) return log.error().Within("ledger");
  if (log.ok() && !log->empty())
    HSM_RETURN_IF_ERROR(ledger.Replay(log->view()).Within("ledger " + ledger.path_));
  const bool torn = log.ok() && ledger.log_bytes_ != log->size();
  if (!log.ok() || log->empty() || torn || ledger.Long()) {
    HSM_RETURN_IF_ERROR(ledger.Rewrite());
  } else {
    HSM_RETURN_IF_ERROR(ledger.Reopen());
  }
  return ledger;
}

Result<void> Ledger::Replay(base::ByteView log) {
  Reader in(log);
  bool first = true;
  while (in.left() > 0) {
    const base::ByteView before = log.subspan(log.size() - in.left());
    const Kind kind{in.U8()};
    const base::ByteView body = in.String();
    const std::size_t entry_bytes = 5 + body.size();
    const base::ByteView sum = in.Raw(kSumBytes);
    const bool whole =
        in.ok() &&
        base::Equal(base::ByteView(base::Sha256(before.first(entry_bytes))).first(kSumBytes), sum);
    if (!whole) {
      if (first) return Error(ErrorCode::kCorrupt, "its first entry does not parse");
      // A torn end is what a crash leaves. Torn in the middle is damage, and then nothing after it
      // is known.
      constexpr std::size_t kLargestTear = std::size_t{1} << 20;
      if (before.size() > kLargestTear)
        return Error(ErrorCode::kCorrupt, fmt::format("damaged at byte {}", log_bytes_));
      return {};
    }
    Reader entry(body);
    switch (kind) {
      case Kind::kFormat:
        if (entry.U64() != kFormatNumber) return Error(ErrorCode::kInvalid, "is of another format");
        break;
      case Kind::kState:
        state_ = ReadState(entry);
        break;
      case Kind::kPromise: {
        const Id id = entry.Array<20>();
        const Version version = ReadVersion(entry);
        promises_[id] = std::max(promises_[id], version);
        state_.lsn = std::max(state_.lsn, version.lsn);
        break;
      }
      case Kind::kForget:
        promises_.erase(entry.Array<20>());
        break;
      case Kind::kWiping:
        wiping_ = entry.Bool();
        break;
      default:
        return Error(ErrorCode::kInvalid, "has an entry of an unknown kind");
    }
    HSM_RETURN_IF_ERROR(entry.Finish("entry"));
    if (first && kind != Kind::kFormat) return Error(ErrorCode::kInvalid, "is not a ledger");
    first = false;
    ++written_entries_;
    log_bytes_ += entry_bytes + kSumBytes;
  }
  return {};
}

Ledger Ledger::InMemoryCopy() const {
  Ledger copy = InMemory();
  copy.state_ = state_;
  copy.promises_ = promises_;
  copy.wiping_ = wiping_;
  return copy;
}

std::optional<Version> Ledger::Promised(const Id& id) const {
  const auto found = promises_.find(id);
  if (found == promises_.end()) return std::nullopt;
  return found->second;
}

// All of them or none. What could not be cut off again after an error makes the ledger refuse more:
// an entry behind a torn one would be lost.
Result<void> Ledger::Append(base::ByteView entries, std::size_t count) {
  if (path_.empty()) return {};
  if (Long()) HSM_RETURN_IF_ERROR(Rewrite());
  if (!fd_)
    return Error(ErrorCode::kUnavailable,
                 fmt::format("ledger {} could not be written before; start again", path_));
  const auto fail = [&](std::string_view doing) -> Result<void> {
    const Error error = base::ErrnoError(doing, path_, errno);
    if (ftruncate(fd_.get(), static_cast<off_t>(log_bytes_)) != 0) fd_.Close();
    return error;
  };
  for (base::ByteView left = entries; !left.empty();) {
    const ssize_t n = write(fd_.get(), left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail("writing ledger");
    left = left.subspan(static_cast<std::size_t>(n));
  }
  if (fdatasync(fd_.get()) != 0) return fail("syncing ledger");
  log_bytes_ += entries.size();
  written_entries_ += count;
  return {};
}

bool Ledger::Long() const { return written_entries_ > promises_.size() * 2 + kRewriteAbove; }

Result<void> Ledger::Reopen() {
  fd_ = base::Fd(open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!fd_) return base::ErrnoError("opening ledger", path_, errno);
  return {};
}

Result<void> Ledger::SetState(const LedgerState& state) {
  if (state == state_) return {};
  Writer out;
  AddState(out, state);
  HSM_RETURN_IF_ERROR(Append(out.view(), 1));
  state_ = state;
  return {};
}

Result<void> Ledger::Promise(const std::vector<IdVersion>& versions) {
  Writer out;
  std::size_t count = 0;
  for (const IdVersion& v : versions) {
    if (Promised(v.id).value_or(Version{}) >= v.version) continue;  // a promise is never lowered
    AddPromise(out, v.id, v.version);
    ++count;
  }
  if (count == 0) return {};
  HSM_RETURN_IF_ERROR(Append(out.view(), count));
  for (const IdVersion& v : versions) {
    Version& promised = promises_[v.id];
    promised = std::max(promised, v.version);
    state_.lsn = std::max(state_.lsn, v.version.lsn);
  }
  return {};
}

Result<void> Ledger::Forget(const std::vector<Id>& ids) {
  if (ids.empty()) return {};
  Writer out;
  AddState(out, state_);  // the highest lsn must outlive the promise that showed it
  for (const Id& id : ids) AddEntry(out, Kind::kForget, id);
  HSM_RETURN_IF_ERROR(Append(out.view(), ids.size() + 1));
  for (const Id& id : ids) promises_.erase(id);
  return {};
}

Result<void> Ledger::SetWiping(bool wiping) {
  if (wiping == wiping_) return {};
  Writer out;
  AddWiping(out, wiping);
  HSM_RETURN_IF_ERROR(Append(out.view(), 1));
  wiping_ = wiping;
  return {};
}

Result<void> Ledger::Reset(const LedgerState& state) {
  promises_.clear();
  state_ = state;
  return Rewrite();
}

// The descriptor is opened again whatever came of it: the file may be another one now, and what is
// appended to one without a name is lost.
Result<void> Ledger::Rewrite() {
  if (path_.empty()) return {};
  Writer out;
  AddFormat(out);
  AddState(out, state_);
  if (wiping_) AddWiping(out, true);
  for (const auto& [id, version] : promises_) AddPromise(out, id, version);
  fd_.Close();
  HSM_RETURN_IF_ERROR(base::WriteFile(path_, out.view(), 0600).Within("ledger"));
  log_bytes_ = out.size();
  written_entries_ = promises_.size() + (wiping_ ? 3 : 2);
  return Reopen();
}

}  // namespace hsmops::store
