// Message: the types of mirror::Member as bytes, the same over a pipe and over HTTPS.
//
// One visitor lists the fields of each type; Out writes them, In reads them. What In accepts is
// bounded by its input; after a shortfall everything is empty and In's reader has failed.
#pragma once

#include <chrono>
#include <concepts>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "libhsmops/base/wire.h"
#include "libhsmops/mirror/member.h"

namespace hsmops::agent {

// The last value of each enum that travels.
constexpr store::Standing LastOf(store::Standing) { return store::Standing::kForeign; }
constexpr token::PinState LastOf(token::PinState) { return token::PinState::kNotSet; }
constexpr mirror::ProbeStep::Outcome LastOf(mirror::ProbeStep::Outcome) {
  return mirror::ProbeStep::Outcome::kSkipped;
}
constexpr store::Applied LastOf(store::Applied) { return store::Applied::kSuperseded; }
constexpr store::InventoryItem::State LastOf(store::InventoryItem::State) {
  return store::InventoryItem::State::kDamaged;
}

class Out {
 public:
  static constexpr bool kReads = false;
  template <typename... T>
  void operator()(const T&... values) {
    (One(values), ...);
  }
  base::SecretBytes Take() && { return std::move(writer_).Take(); }

 private:
  void One(bool v) { writer_.Bool(v); }
  void One(std::uint8_t v) { writer_.U8(v); }
  void One(std::uint32_t v) { writer_.U32(v); }
  void One(std::uint64_t v) { writer_.U64(v); }
  void One(const std::string& v) { writer_.String(v); }
  void One(const base::SecretBytes& v) { writer_.String(v.view()); }
  template <typename Rep, typename Period>
  void One(std::chrono::duration<Rep, Period> v) {
    writer_.U64(static_cast<std::uint64_t>(v.count()));
  }
  void One(base::WallTime v) { One(v.time_since_epoch()); }
  void One(const store::SecretName& v) { writer_.String(v.text()); }
  void One(const base::Error& v) {
    writer_.U8(static_cast<std::uint8_t>(v.code()));
    writer_.String(v.message());
  }
  template <std::size_t N>
  void One(const std::array<std::uint8_t, N>& v) {
    writer_.Raw(v);
  }
  template <std::size_t N>
  void One(const std::array<base::Digest, N>& v) {
    for (const auto& one : v) One(one);
  }
  void One(const std::bitset<store::kBuckets>& v) {
    for (std::size_t i = 0; i < v.size(); ++i) One(v.test(i));
  }
  template <typename E>
    requires std::is_enum_v<E>
  void One(E v) {
    writer_.U8(static_cast<std::uint8_t>(v));
  }
  template <typename T>
  void One(const std::optional<T>& v) {
    One(v.has_value());
    if (v) One(*v);
  }
  template <typename T>
  void One(const std::vector<T>& v) {
    writer_.U32(static_cast<std::uint32_t>(v.size()));
    for (const T& one : v) One(one);
  }
  template <typename T>
  void One(const std::set<T>& v) {
    writer_.U32(static_cast<std::uint32_t>(v.size()));
    for (const T& one : v) One(one);
  }
  template <typename K, typename T>
  void One(const std::map<K, T>& v) {
    writer_.U32(static_cast<std::uint32_t>(v.size()));
    for (const auto& [key, value] : v) (*this)(key, value);
  }
  template <typename T>
  void One(const base::Result<T>& v) {
    One(v.ok());
    if (!v.ok()) return One(v.error());
    if constexpr (!std::is_void_v<T>) One(*v);
  }
  template <typename T>
    requires requires(Out& a, T& v) { Fields(a, v); }
  void One(const T& v) {
    if constexpr (std::is_same_v<T, store::Write> || std::is_same_v<T, store::Secret>) One(v.name);
    Fields(*this, const_cast<T&>(v));  // Out only reads them
  }

  base::Writer writer_;
};

class In {
 public:
  static constexpr bool kReads = true;
  explicit In(base::ByteView bytes) : reader_(bytes) {}
  template <typename... T>
  void operator()(T&... values) {
    (One(values), ...);
  }
  // A value of a type that cannot be made empty.
  template <typename T>
  T Make();
  base::Reader& reader() { return reader_; }

 private:
  static constexpr std::uint8_t kLastErrorCode =
      static_cast<std::uint8_t>(base::ErrorCode::kInternal);

  void One(bool& v) { v = reader_.Bool(); }
  void One(std::uint8_t& v) { v = reader_.U8(); }
  void One(std::uint32_t& v) { v = reader_.U32(); }
  void One(std::uint64_t& v) { v = reader_.U64(); }
  void One(std::string& v) { v = reader_.Text(); }
  void One(base::SecretBytes& v) { v = base::SecretBytes(reader_.String()); }
  template <typename Rep, typename Period>
  void One(std::chrono::duration<Rep, Period>& v) {
    v = std::chrono::duration<Rep, Period>(static_cast<Rep>(reader_.U64()));
  }
  void One(base::WallTime& v) {
    v = base::WallTime(std::chrono::microseconds(static_cast<std::int64_t>(reader_.U64())));
  }
  template <std::size_t N>
  void One(std::array<std::uint8_t, N>& v) {
    v = reader_.Array<N>();
  }
  template <std::size_t N>
  void One(std::array<base::Digest, N>& v) {
    for (auto& one : v) One(one);
  }
  void One(std::bitset<store::kBuckets>& v) {
    for (std::size_t i = 0; i < v.size(); ++i) v.set(i, reader_.Bool());
  }
  // An enum's last value is what LastOf says; anything above fails.
  template <typename E>
    requires std::is_enum_v<E>
  void One(E& v) {
    const std::uint8_t raw = reader_.U8();
    if (raw > static_cast<std::uint8_t>(LastOf(E{}))) return reader_.Fail();
    v = static_cast<E>(raw);
  }
  template <typename T>
  void One(std::optional<T>& v) {
    v.reset();
    if (reader_.Bool()) v.emplace(Make<T>());
  }
  template <typename T>
  void One(std::vector<T>& v) {
    v.clear();
    const std::uint32_t count = reader_.Count(1);
    for (std::uint32_t i = 0; i < count && reader_.ok(); ++i) v.push_back(Make<T>());
  }
  template <typename T>
  void One(std::set<T>& v) {
    v.clear();
    const std::uint32_t count = reader_.Count(1);
    for (std::uint32_t i = 0; i < count && reader_.ok(); ++i) v.insert(Make<T>());
  }
  template <typename K, typename T>
  void One(std::map<K, T>& v) {
    v.clear();
    const std::uint32_t count = reader_.Count(1);
    for (std::uint32_t i = 0; i < count && reader_.ok(); ++i) {
      K key = Make<K>();
      v.insert_or_assign(std::move(key), Make<T>());
    }
  }
  template <typename T>
    requires requires(In& a, T& v) { Fields(a, v); }
  void One(T& v) {
    Fields(*this, v);
  }

  base::Error MakeError() {
    const std::uint8_t code = reader_.U8();
    if (code > kLastErrorCode) reader_.Fail();
    return {reader_.ok() ? static_cast<base::ErrorCode>(code) : base::ErrorCode::kInternal,
            reader_.Text()};
  }
  store::SecretName MakeName() {
    auto name = store::SecretName::Parse(reader_.Text());
    if (name.ok()) return *std::move(name);
    reader_.Fail();
    return *store::SecretName::Parse("x");  // never seen: the reader has failed
  }
  template <typename>
  struct IsResult : std::false_type {};
  template <typename T>
  struct IsResult<base::Result<T>> : std::true_type {};

  base::Reader reader_;
};

}  // namespace hsmops::agent

// The fields of each type, found by argument-dependent look-up.
namespace hsmops::store {
template <typename A>
void Fields(A& a, Epoch& v) {
  a(v.counter, v.nonce);
}
template <typename A>
void Fields(A& a, Term& v) {
  a(v.epoch, v.generation);
}
template <typename A>
void Fields(A& a, Version& v) {
  a(v.epoch, v.lsn);
}
template <typename A>
void Fields(A& a, IdVersion& v) {
  a(v.id, v.version);
}
template <typename A>
void Fields(A& a, Expectation& v) {
  a(v.absent, v.counter, v.lsn, v.nonce);
}
template <typename A>
void Fields(A& a, Record& v) {
  a(v.head, v.parts);
}
template <typename A>
void Fields(A& a, Staged& v) {
  a(v.id, v.version, v.digest, v.record, v.repeated);
}
template <typename A>
void Fields(A& a, Write& v) {
  a(v.keys, v.remove, v.merge, v.op_id, v.expect);
}  // after the name
template <typename A>
void Fields(A& a, Secret& v) {
  a(v.version, v.written_at, v.digest, v.keys);
}  // after the name
template <typename A>
void Fields(A& a, InventoryDigest& v) {
  a(v.root, v.buckets);
}
template <typename A>
void Fields(A& a, InventoryItem& v) {
  a(v.id, v.state, v.version, v.digest, v.name, v.keys, v.written_at, v.bytes);
}
template <typename A>
void Fields(A& a, LegacyItem& v) {
  a(v.name, v.keys, v.reason);
}
template <typename A>
void Fields(A& a, QuarantineItem& v) {
  a(v.id, v.name, v.version, v.tombstone, v.keys, v.written_at);
}
template <typename A>
void Fields(A& a, Inventory& v) {
  a(v.digest, v.items, v.quarantine, v.legacy, v.foreign_objects, v.era);
}
template <typename A>
void Fields(A& a, VerifyReport& v) {
  a(v.secrets, v.bytes, v.damaged);
}
template <typename A>
void Fields(A& a, CollectReport& v) {
  a(v.destroyed, v.more);
}
}  // namespace hsmops::store

namespace hsmops::token {
template <typename A>
void Fields(A& a, Identity& v) {
  a(v.label, v.manufacturer, v.model, v.serial);
}
}  // namespace hsmops::token

namespace hsmops::mirror {
template <typename A>
void Fields(A& a, ProbeStep& v) {
  a(v.name, v.outcome, v.message, v.microseconds);
}
template <typename A>
void Fields(A& a, MemberStatus& v) {
  a(v.standing, v.standing_reason, v.pool, v.member, v.identity, v.profile, v.max_object_bytes,
    v.pin, v.free_bytes, v.free_objects, v.epoch, v.generation, v.primary, v.gate_open, v.lsn,
    v.collected, v.frozen, v.digest, v.secrets, v.damaged, v.quarantined, v.legacy, v.unreached,
    v.prepared, v.probe);
}
template <typename A>
void Fields(A& a, Stamp& v) {
  a(v.run, v.at);
}
template <typename A>
void Fields(A& a, Pulse& v) {
  a(v.nonce, v.stamp, v.term, v.primary, v.gate_open);
}
template <typename A>
void Fields(A& a, SyncRule& v) {
  a(v.members, v.k, v.all, v.strict);
}
template <typename A>
void Fields(A& a, PeerAddress& v) {
  a(v.node, v.url);
}
template <typename A>
void Fields(A& a, Grant& v) {
  a(v.nonce, v.epoch, v.generation, v.duration, v.digest, v.rule, v.peers, v.max_object_bytes);
}
template <typename A>
void Fields(A& a, Confirmation& v) {
  a(v.what, v.by);
}
template <typename A>
void Fields(A& a, Acknowledged& v) {
  a(v.version, v.nodes, v.repeated);
}
template <typename A>
void Fields(A& a, FenceAnswer& v) {
  a(v.before, v.primary, v.lsn, v.digest);
}
template <typename A>
void Fields(A& a, ReadResult& v) {
  a(v.secret, v.version);
}
}  // namespace hsmops::mirror

namespace hsmops::agent {

template <typename T>
T In::Make() {
  if constexpr (IsResult<T>::value) {
    if (!reader_.Bool()) return MakeError();
    if constexpr (std::is_void_v<typename T::value_type>) {
      return {};
    } else {
      return Make<typename T::value_type>();
    }
  } else if constexpr (std::is_same_v<T, store::SecretName>) {
    return MakeName();
  } else if constexpr (std::is_same_v<T, store::Write> || std::is_same_v<T, store::Secret>) {
    T value{.name = MakeName()};
    Fields(*this, value);
    return value;
  } else {
    T value{};
    One(value);
    return value;
  }
}

}  // namespace hsmops::agent
