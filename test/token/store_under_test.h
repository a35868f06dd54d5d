// StoreUnderTest: a SecretStore on the token of a case, as a member, with its ledger in a file.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/store/secret_store.h"
#include "libhsmops/token/faulty_token.h"
#include "test/support/temp_folder.h"
#include "test/token/token_under_test.h"

namespace hsmops::test {

inline constexpr store::Uid kPool{1, 2, 3};
inline constexpr store::Uid kMember{9, 9, 1};
inline constexpr store::Epoch kEpoch{3, 0xC0FFEE};

store::SecretName NameOf(std::string_view text);
store::Id IdOf(std::string_view name);
store::Keys KeysOf(std::initializer_list<std::pair<const char*, std::string>> pairs);

class StoreUnderTest {
 public:
  StoreUnderTest();

  const Traits& traits() const { return on_->traits(); }
  TokenUnderTest& on() { return *on_; }
  store::SecretStore& store() { return *store_; }
  token::Token& token() { return on_->token(); }
  // Of the store's own calls; they are only counted.
  std::uint64_t calls() const { return counted_->calls(); }

  // Another process with the same ledger.
  base::Result<store::Standing> Restart();

  // Each with an opId of its own, acknowledged when ok.
  base::Result<store::Version> Put(std::string_view name, store::Keys keys);
  base::Result<store::Version> Put(std::string_view name, const std::string& value);
  base::Result<store::Version> Remove(std::string_view name);
  // All in one batch, acknowledged; fails the test unless each is ok.
  void PutAll(const std::vector<std::string>& names);

  // "absent", "a=1 b=2", or "Corrupt" and the like.
  std::string Seen(std::string_view name);
  // The names of what is present, sorted, one space between.
  std::string Listed();
  std::optional<store::InventoryItem> Item(std::string_view name);
  // How many objects with our application a new view of the token shows.
  std::size_t Objects();

 private:
  void Start();
  store::Write WriteOf(std::string_view name);
  base::Result<store::Version> Write(store::Write write);

  TempFolder folder_;
  base::SystemClock clock_;
  base::SystemRng rng_;
  std::unique_ptr<TokenUnderTest> on_ = TokenUnderTest::Make();
  std::optional<store::Ledger> ledger_;
  std::optional<token::FaultyToken> counted_;
  std::optional<store::SecretStore> store_;
};

}  // namespace hsmops::test
