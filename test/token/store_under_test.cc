#include "test/token/store_under_test.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace hsmops::test {
namespace {

base::Result<void> OpenGate() { return {}; }

}  // namespace

store::SecretName NameOf(std::string_view text) {
  auto name = store::SecretName::Parse(text);
  REQUIRE_MESSAGE(name.ok(), text);
  return *std::move(name);
}

store::Id IdOf(std::string_view name) { return store::IdOf(kPool, NameOf(name)); }

store::Keys KeysOf(std::initializer_list<std::pair<const char*, std::string>> pairs) {
  store::Keys keys;
  for (const auto& [key, value] : pairs) keys.emplace(key, base::SecretBytes::FromText(value));
  return keys;
}

StoreUnderTest::StoreUnderTest() {
  Start();
  const auto standing = store_->Open(kPool, kMember);
  REQUIRE_MESSAGE(standing.ok(), standing.error().message());
  REQUIRE(*standing == store::Standing::kBlank);
  const auto made = store_->Initialize(kPool, kMember, {kEpoch, 1}, false);
  REQUIRE_MESSAGE(made.ok(), made.error().message());
}

void StoreUnderTest::Start() {
  store_.reset();
  ledger_.reset();
  auto ledger = store::Ledger::Open(folder_ / "ledger");
  REQUIRE(ledger.ok());
  ledger_.emplace(*std::move(ledger));
  counted_.emplace(on_->token());
  store_.emplace(*counted_, *ledger_, clock_, rng_);
}

base::Result<store::Standing> StoreUnderTest::Restart() {
  on_->Reopen();
  Start();
  return store_->Open(kPool, kMember);
}

store::Write StoreUnderTest::WriteOf(std::string_view name) {
  return {.name = NameOf(name), .op_id = rng_.Array<16>()};
}

base::Result<store::Version> StoreUnderTest::Write(store::Write write) {
  std::vector<store::Write> one;
  one.push_back(std::move(write));
  auto staged = store_->Stage(std::move(one), kEpoch, token().profile().max_object_bytes, OpenGate);
  REQUIRE(staged.size() == 1);
  if (!staged[0].ok()) return staged[0].error();
  HSM_RETURN_IF_ERROR(store_->Promise({{staged[0]->id, staged[0]->version}}));
  return staged[0]->version;
}

base::Result<store::Version> StoreUnderTest::Put(std::string_view name, store::Keys keys) {
  store::Write write = WriteOf(name);
  write.keys = std::move(keys);
  return Write(std::move(write));
}

base::Result<store::Version> StoreUnderTest::Put(std::string_view name, const std::string& value) {
  return Put(name, KeysOf({{"k", value}}));
}

base::Result<store::Version> StoreUnderTest::Remove(std::string_view name) {
  store::Write write = WriteOf(name);
  write.remove = true;
  return Write(std::move(write));
}

void StoreUnderTest::PutAll(const std::vector<std::string>& names) {
  std::vector<store::Write> writes;
  for (const std::string& name : names) {
    writes.push_back(WriteOf(name));
    writes.back().keys = KeysOf({{"k", "of " + name}});
  }
  const auto staged =
      store_->Stage(std::move(writes), kEpoch, token().profile().max_object_bytes, OpenGate);
  std::vector<store::IdVersion> versions;
  for (const auto& one : staged) {
    REQUIRE_MESSAGE(one.ok(), one.error().message());
    versions.push_back({one->id, one->version});
  }
  REQUIRE(store_->Promise(versions).ok());
}

std::string StoreUnderTest::Seen(std::string_view name) {
  const auto read = store_->Read(NameOf(name));
  if (!read.ok()) return std::string(base::Name(read.code()));
  if (!*read) return "absent";
  std::string text;
  for (const auto& [key, value] : (*read)->keys)
    text += (text.empty() ? "" : " ") + key + "=" + TextOf(value);
  return text;
}

std::string StoreUnderTest::Listed() {
  const auto inventory = store_->ReadInventory();
  REQUIRE_MESSAGE(inventory.ok(), inventory.error().message());
  std::vector<std::string> names;
  for (const store::InventoryItem& item : inventory->items) {
    if (item.state == store::InventoryItem::State::kPresent) names.push_back(item.name);
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

std::optional<store::InventoryItem> StoreUnderTest::Item(std::string_view name) {
  const auto inventory = store_->ReadInventory();
  REQUIRE_MESSAGE(inventory.ok(), inventory.error().message());
  for (const store::InventoryItem& item : inventory->items) {
    if (item.id == IdOf(name)) return item;
  }
  return std::nullopt;
}

std::size_t StoreUnderTest::Objects() {
  REQUIRE(token().Refresh().ok());
  const auto found = token().Find(store::kApplication);
  REQUIRE(found.ok());
  // The store's own index is of a view that is over now.
  REQUIRE(store_->Open(kPool, kMember).ok());
  return found->size();
}

}  // namespace hsmops::test
