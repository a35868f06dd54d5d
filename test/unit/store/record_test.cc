// The bytes of a record: what was written comes back, and nothing else is taken.
#include "libhsmops/store/record.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "libhsmops/base/wire.h"
#include "libhsmops/store/label.h"
#include "test/unit/store/device.h"

namespace hsmops::test {
namespace {

using store::Head;
using store::Record;

Head SomeHead() {
  Head head;
  head.pool = kPool;
  head.name = "app/db";
  head.version = {kEpoch, 7};
  head.op_ids = {OpIdOf(2), OpIdOf(1)};
  head.salt = {4, 4};
  return head;
}

// A record and its head, as the mirrors get it.
std::pair<Head, Record> Encoded(const store::Keys& keys, std::size_t max = 512) {
  Head head = SomeHead();
  auto record = store::Encode(head, keys, max);
  REQUIRE(record.ok());
  return {std::move(head), std::move(*record)};
}

}  // namespace

TEST_CASE("a record comes back as it went, inline and in parts") {
  for (const std::size_t size : {0U, 1U, 100U, 600U, 1800U}) {
    const auto keys = KeysOf({{"tls.crt", std::string(size, 'c')}, {"empty", ""}});
    const auto [head, record] = Encoded(keys);
    CHECK(record.parts.empty() == (size < 300));
    auto back = store::DecodeHead(record.head.view());
    REQUIRE(back.ok());
    CHECK(back->name == "app/db");
    CHECK(back->version == store::Version{kEpoch, 7});
    CHECK(back->op_ids == head.op_ids);
    CHECK(back->keys == std::vector<std::string>{"empty", "tls.crt"});
    CHECK(back->digest == head.digest);
    auto decoded = store::DecodeKeys(*back, record.parts);
    REQUIRE(decoded.ok());
    CHECK(TextOf(*decoded) == TextOf(keys));
  }
}

TEST_CASE("a head cut short anywhere, or with any bit the other way round, is corrupt") {
  const auto [head, record] = Encoded(KeysOf({{"password", "correct horse"}}));
  const base::ByteView whole = record.head.view();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_MESSAGE(store::DecodeHead(whole.first(size)).Is(ErrorCode::kCorrupt), size);
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    base::SecretBytes bytes = record.head.Clone();
    bytes.data()[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    CHECK_MESSAGE(store::DecodeHead(bytes.view()).Is(ErrorCode::kCorrupt), bit);
  }
  base::SecretBytes longer = record.head.Clone();
  longer.Append(std::uint8_t{0});
  CHECK(store::DecodeHead(longer.view()).Is(ErrorCode::kCorrupt));
}

TEST_CASE("a head whose seal is right and whose content is not is corrupt all the same") {
  const auto [head, record] = Encoded(KeysOf({{"k", "value"}}));
  const base::ByteView content = record.head.view().first(record.head.size() - 32);
  int taken = 0;
  for (std::size_t i = 0; i < content.size(); ++i) {
    for (const std::uint8_t change : {std::uint8_t{0x01}, std::uint8_t{0x80}, std::uint8_t{0xFF}}) {
      base::SecretBytes bytes(content);
      bytes.data()[i] ^= change;
      const base::Digest seal = base::Sha256(bytes.view());
      bytes.Append(seal);
      const auto decoded = store::DecodeHead(bytes.view());
      if (!decoded.ok()) {
        CHECK(decoded.Is(ErrorCode::kCorrupt));
        continue;
      }
      ++taken;
      CHECK(store::SecretName::Parse(decoded->name).ok());
      (void)store::DecodeKeys(*decoded, {});  // must not fall over whatever it says
    }
  }
  CHECK(taken > 0);  // versions, times and ids may be anything
}

TEST_CASE("a head that promises more than a secret holds reserves nothing for it") {
  base::Writer out;
  out.U32(0x4B48534D);
  out.U8(1);
  out.U8(0);
  out.Raw(kPool);
  out.U16(3);
  out.Raw(base::AsBytes("app"));
  for (int i = 0; i < 4; ++i) out.U64(1);
  out.U8(0);
  out.Raw(std::array<std::uint8_t, 16>{});
  out.U16(0);
  constexpr std::uint32_t kParts = 1000;
  out.U64(std::uint64_t{kParts} * 0xFFFFFFFF);
  out.U32(kParts);
  for (std::uint32_t i = 0; i < kParts; ++i) {
    out.U32(0xFFFFFFFF);
    out.Raw(base::Digest{});
  }
  out.String(base::ByteView());
  const base::Digest seal = base::Sha256(out.view());
  out.Raw(seal);
  CHECK(store::DecodeHead(out.view()).Is(ErrorCode::kCorrupt));
}

TEST_CASE("parts that are missing, exchanged, cut or changed are corrupt") {
  const auto [head, record] = Encoded(KeysOf({{"k", std::string(1800, 'p') + "x"}}));
  REQUIRE(record.parts.size() == 4);
  CHECK(store::CheckRecord(record).ok());
  const auto broken = [&](auto change) {
    Record copy = record.Clone();
    change(copy.parts);
    return store::CheckRecord(copy).Is(ErrorCode::kCorrupt);
  };
  CHECK(broken([](auto& parts) { parts.pop_back(); }));
  CHECK(broken([](auto& parts) { std::swap(parts[2], parts[3]); }));
  CHECK(broken([](auto& parts) { parts[3].resize(parts[3].size() - 1); }));
  CHECK(broken([](auto& parts) { parts[1].data()[9] ^= 4; }));
  CHECK(broken([](auto& parts) { parts.emplace_back(); }));
}

TEST_CASE("what does not fit is a limit before anything is written") {
  Head head = SomeHead();
  CHECK(store::Encode(head, KeysOf({{"k", std::string(store::kMaxSecretBytes, 'x')}}), 32768)
            .Is(ErrorCode::kLimit));
  CHECK(store::Encode(head, KeysOf({{"k", std::string(1 << 20, 'x')}}), 32768).ok());
  CHECK(store::Encode(head, KeysOf({{"k", std::string(9000, 'x')}}), 512).Is(ErrorCode::kLimit));
  store::Keys many;
  for (int i = 0; i < 1025; ++i) many.emplace("k" + std::to_string(i), base::SecretBytes());
  CHECK(store::Encode(head, many, 1 << 20).Is(ErrorCode::kLimit));
}

TEST_CASE("any keys of any bytes come back from objects of any size") {
  CHECK(rc::check([](const std::map<std::uint8_t, std::vector<std::uint8_t>>& content) {
    RC_PRE(!content.empty());
    store::Keys keys;
    for (const auto& [key, value] : content) {
      keys.emplace("k" + std::to_string(key), base::SecretBytes(base::ByteView(value)));
    }
    const auto max = *rc::gen::inRange<std::size_t>(4096, 40000);
    Head head = SomeHead();
    auto record = store::Encode(head, keys, max);
    RC_ASSERT(record.ok());
    RC_ASSERT(record->head.size() <= max);
    const auto back = store::DecodeHead(record->head.view());
    RC_ASSERT(back.ok());
    const auto decoded = store::DecodeKeys(*back, record->parts);
    RC_ASSERT(decoded.ok());
    RC_ASSERT(*decoded == keys);
  }));
}

TEST_CASE("an EPOCH object cut or changed anywhere is corrupt") {
  const store::EpochRecord record{kPool, MemberUid(1), "0123456789abcdef", kEpoch, 42, 5, true};
  const base::SecretBytes bytes = record.Encode();
  const auto back = store::EpochRecord::Decode(bytes.view());
  REQUIRE(back.ok());
  CHECK(back->serial == record.serial);
  CHECK(back->epoch == kEpoch);
  CHECK(back->lsn == 42);
  CHECK(back->sequence == 5);
  CHECK(back->primary);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    CHECK(store::EpochRecord::Decode(bytes.view().first(i)).Is(ErrorCode::kCorrupt));
    base::SecretBytes flipped = bytes.Clone();
    flipped.data()[i] ^= 0x20;
    CHECK(store::EpochRecord::Decode(flipped.view()).Is(ErrorCode::kCorrupt));
  }
}

TEST_CASE("a label is taken only in its exact text") {
  using store::Label;
  const Label head{Label::Kind::kHead, IdOf("app"), {kEpoch, 12}, 0};
  const Label part{Label::Kind::kPart, IdOf("app"), {kEpoch, 12}, 3};
  for (const Label& label :
       {head, part, Label{Label::Kind::kQuarantine, IdOf("app"), {kEpoch, 1}, 0}, Label{}}) {
    const auto back = Label::Parse(label.ToString());
    REQUIRE(back);
    CHECK(back->kind == label.kind);
    CHECK(back->id == label.id);
    CHECK(back->version == label.version);
    CHECK(back->part == label.part);
  }
  const std::string good = head.ToString();
  for (const std::string& bad : {std::string(), good + ".", good + ".0", "K" + good.substr(1),
                                 good.substr(0, 3), std::string("k1.e."), "k1.x" + good.substr(4),
                                 good.substr(0, good.size() - 2) + "012", good + " "}) {
    CHECK_MESSAGE(!Label::Parse(bad), bad);
  }
  CHECK(rc::check([](const std::string& text) {
    const auto label = Label::Parse(text);
    if (label) RC_ASSERT(label->ToString() == text);
  }));
}

}  // namespace hsmops::test
