// Device: a token in memory with faults in front of it, its ledger, and stores that come and go.
#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "libhsmops/base/mutant.h"
#include "libhsmops/store/secret_store.h"
#include "libhsmops/token/faulty_token.h"
#include "libhsmops/token/memory_token.h"

namespace hsmops::test {

using base::ErrorCode;
using token::Fault;

inline constexpr store::Uid kPool{1, 2, 3};
inline constexpr store::Epoch kEpoch{3, 0xC0FFEE};

inline store::Uid MemberUid(std::uint8_t number) { return {9, 9, number}; }

inline store::SecretName NameOf(std::string_view text) {
  auto name = store::SecretName::Parse(text);
  REQUIRE_MESSAGE(name.ok(), text);
  return *std::move(name);
}

inline store::Id IdOf(std::string_view name) { return store::IdOf(kPool, NameOf(name)); }

inline store::Keys KeysOf(std::initializer_list<std::pair<const char*, std::string>> pairs) {
  store::Keys keys;
  for (const auto& [key, value] : pairs) keys.emplace(key, base::SecretBytes::FromText(value));
  return keys;
}

inline store::OpId OpIdOf(std::uint8_t number) { return {0xAA, number}; }

// "absent", "a=1 b=2", or "Corrupt" and the like.
inline std::string TextOf(const store::Keys& keys) {
  std::string text;
  for (const auto& [key, value] : keys) {
    text += (text.empty() ? "" : " ") + key + "=" +
            std::string(value.view().begin(), value.view().end());
  }
  return text;
}

inline std::string TextOf(const base::Result<std::optional<store::Secret>>& read) {
  if (!read.ok()) return std::string(base::Name(read.code()));
  return *read ? TextOf((*read)->keys) : "absent";
}

inline base::Result<void> Open() { return {}; }

// On while it lives.
class MutantOn {
 public:
  explicit MutantOn(base::Mutant mutant) { base::SetMutant(mutant); }
  ~MutantOn() { base::SetMutant(base::Mutant::kNone); }
};

// SoftHSM's ways with objects small enough that a test has four parts without 100 KiB.
inline constexpr token::Profile kSmallFiles{"softhsm", 512, 1000, token::Proof::kFiles, 0};
inline constexpr token::Profile kSmallViews{"generic", 512, 1000, token::Proof::kFreshView, 0};
inline constexpr const token::Profile* kBothProfiles[] = {&kSmallFiles, &kSmallViews};

class Device {
 public:
  explicit Device(const token::Profile& profile = kSmallFiles, std::uint8_t number = 1)
      : number_(number),
        rng(number),
        memory({"khsm", "nobody", "memory", "serial-" + std::to_string(number)}, profile, rng) {
    Start();
    REQUIRE(store->Open(kPool, MemberUid(number)).ok());
    REQUIRE(store->Initialize(kPool, MemberUid(number), {kEpoch, 1}, false).ok());
  }

  // A new process on the same token and ledger.
  base::Result<store::Standing> Restart(bool lose_unsynced = false) {
    memory.Crash(lose_unsynced);
    Start();
    return store->Open(kPool, MemberUid(number_));
  }

  base::Result<store::Staged> Stage(store::Write write, store::Epoch epoch = kEpoch) {
    std::vector<store::Write> one;
    one.push_back(std::move(write));
    auto staged =
        store->Stage(std::move(one), epoch, store->token().profile().max_object_bytes, Open);
    REQUIRE(staged.size() == 1);
    return std::move(staged[0]);
  }

  // Staged and promised, as an acknowledged write is.
  base::Result<store::Version> Write(store::Write write, store::Epoch epoch = kEpoch) {
    HSM_TRY(const store::Staged staged, Stage(std::move(write), epoch));
    HSM_RETURN_IF_ERROR(store->Promise({{staged.id, staged.version}}));
    return staged.version;
  }

  base::Result<store::Version> Put(std::string_view name, store::Keys keys) {
    return Write({.name = NameOf(name), .keys = std::move(keys), .op_id = NextOp()});
  }
  base::Result<store::Version> Put(std::string_view name, const std::string& value) {
    return Put(name, KeysOf({{"k", value}}));
  }
  base::Result<store::Version> Remove(std::string_view name) {
    return Write({.name = NameOf(name), .remove = true, .op_id = NextOp()});
  }

  std::string Seen(std::string_view name) { return TextOf(store->Read(NameOf(name))); }

  const store::InventoryItem* Item(std::string_view name) {
    auto read = store->ReadInventory();
    REQUIRE(read.ok());
    inventory = std::move(*read);
    for (const store::InventoryItem& item : inventory.items) {
      if (item.id == IdOf(name)) return &item;
    }
    return nullptr;
  }

  std::size_t Count(std::string_view prefix) const {
    std::size_t count = 0;
    for (const std::string& label : memory.Labels()) count += label.starts_with(prefix) ? 1 : 0;
    return count;
  }

  std::string LabelWith(std::string_view prefix) const {
    for (const std::string& label : memory.Labels()) {
      if (label.starts_with(prefix)) return label;
    }
    FAIL("no label begins with ", prefix);
    return {};
  }

  store::OpId NextOp() { return OpIdOf(++ops_); }

 private:
  void Start() {
    store.reset();
    faulty.emplace(memory);
    store.emplace(*faulty, ledger, clock, rng);
  }
  std::uint8_t number_;
  std::uint8_t ops_ = 0;

 public:
  base::ManualClock clock;
  base::SeededRng rng;
  token::MemoryToken memory;
  store::Ledger ledger = store::Ledger::InMemory();
  std::optional<token::FaultyToken> faulty;
  std::optional<store::SecretStore> store;
  store::Inventory inventory;
};

}  // namespace hsmops::test
