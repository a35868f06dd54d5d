// Times, durations, encodings, what may be printed, and the wire.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/executor.h"
#include "libhsmops/base/file.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/base/wire.h"
#include "test/support/temp_folder.h"

namespace hsmops::base {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

std::string TextOf(const SecretBytes& bytes) { return {bytes.view().begin(), bytes.view().end()}; }

}  // namespace

TEST_CASE("times come back from their text") {
  CHECK(FormatMicroTime(WallTime(microseconds(0))) == "1970-01-01T00:00:00.000000Z");
  CHECK(FormatTime(WallTime(seconds(1'767'366'245))) == "2026-01-02T15:04:05Z");
  CHECK(FormatMicroTime(WallTime(microseconds(-1))) == "1969-12-31T23:59:59.999999Z");
  CHECK(rc::check([](std::int64_t value) {
    const WallTime time{microseconds(value % 60'000'000'000'000'000)};
    const auto back = ParseTime(FormatMicroTime(time));
    RC_PRE(time > WallTime(seconds(-62'000'000'000)));
    RC_ASSERT(back.ok());
    RC_ASSERT((*back == time));
  }));
  CHECK(*ParseTime("2026-01-02T15:04:05Z") == WallTime(seconds(1'767'366'245)));
  CHECK(*ParseTime("2026-01-02t16:04:05.5+01:00") ==
        WallTime(seconds(1'767'366'245) + microseconds(500'000)));
  CHECK(*ParseTime("2026-01-02T15:04:05.123456789Z") ==
        WallTime(seconds(1'767'366'245) + microseconds(123'456)));
  CHECK(ParseTime("2024-02-29T00:00:00Z").ok());
  for (const char* bad :
       {"", "2026", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-01-02 15:04:05Z",
        "2026-01-02T24:00:00Z", "2026-01-02T15:60:00Z", "2026-01-02T15:04:05",
        "2026-01-02T15:04:05.Z", "2026-01-02T15:04:05+1:00", "2026-01-02T15:04:05Zx",
        "-026-01-02T15:04:05Z", "2026-00-02T15:04:05Z", "2026-01-00T15:04:05Z"}) {
    CHECK_MESSAGE(ParseTime(bad).Is(ErrorCode::kInvalid), bad);
  }
}

TEST_CASE("times of any record print without harm") {
  for (const std::int64_t value : {INT64_MIN, INT64_MIN + 1, std::int64_t{-1}, INT64_MAX}) {
    CHECK(!FormatTime(WallTime(microseconds(value))).empty());
    CHECK(!FormatMicroTime(WallTime(microseconds(value))).empty());
  }
}

TEST_CASE("durations as Go has them, printed as kubectl does") {
  CHECK(*ParseDuration("300ms") == std::chrono::milliseconds(300));
  CHECK(*ParseDuration("1.5s") == std::chrono::milliseconds(1500));
  CHECK(*ParseDuration("2h45m") == std::chrono::minutes(165));
  CHECK(*ParseDuration("2d") == std::chrono::hours(48));
  CHECK(*ParseDuration("0s") == Duration(0));
  CHECK(*ParseDuration(".5s") == std::chrono::milliseconds(500));
  for (const char* bad :
       {"", "5", "-5s", "s", ".s", "1.2.3s", "5x", "5 s", "1h ", "1e3s", "99999999999h", "\xff"}) {
    CHECK_MESSAGE(ParseDuration(bad).Is(ErrorCode::kInvalid), bad);
  }
  CHECK(FormatDuration(std::chrono::milliseconds(350)) == "350ms");
  CHECK(FormatDuration(seconds(12)) == "12s");
  CHECK(FormatDuration(seconds(119)) == "119s");
  CHECK(FormatDuration(seconds(250)) == "4m10s");
  CHECK(FormatDuration(std::chrono::hours(2)) == "2h");
  CHECK(FormatDuration(std::chrono::hours(76)) == "3d4h");
  CHECK(FormatDuration(seconds(-4)) == "0s");
}

TEST_CASE("base16, base32 and base64 come back, and only their canonical text is taken") {
  CHECK(Base64(AsBytes("")).empty());
  CHECK(Base64(AsBytes("f")) == "Zg==");
  CHECK(Base64(AsBytes("foobar")) == "Zm9vYmFy");
  CHECK(Base32(AsBytes("foobar")) == "mzxw6ytboi");
  CHECK(Hex(AsBytes("\x01\xfe")) == "01fe");
  CHECK(rc::check([](const std::vector<std::uint8_t>& bytes) {
    RC_ASSERT(*FromHex(Hex(bytes)) == bytes);
    const auto back = FromBase64(Base64(bytes));
    RC_ASSERT(back.ok());
    RC_ASSERT(Equal(*back, bytes));
  }));
  CHECK(rc::check([](const std::string& text) {
    const auto bytes = FromBase64(text);
    if (bytes.ok()) RC_ASSERT(Base64(*bytes) == text);
  }));
  for (const char* bad :
       {"Zg", "Zg=", "Zg===", "Zh==", "Z===", "====", "Zm9v YmFy", "Zm9v\n", "Zm=v", "=Zm9"}) {
    CHECK_MESSAGE(FromBase64(bad).Is(ErrorCode::kInvalid), bad);
  }
  for (const char* bad : {"0", "0G", "AB", "0x"})
    CHECK_MESSAGE(FromHex(bad).Is(ErrorCode::kInvalid), bad);
}

TEST_CASE("what is printed cannot move the cursor, and what is text stays") {
  CHECK(Printable("app/db") == "app/db");
  CHECK(Printable("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91") ==
        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91");
  CHECK(Printable("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a");
  CHECK(Printable("\xe2\x80\xae") == "\\u{202e}");
  CHECK(Printable("\xc2\x9b") == "\\x9b");
  CHECK(Printable("\xff\xc3") == "\\xff\\xc3");
  CHECK(Printable("\xed\xa0\x80").find("\\xed") == 0);  // a surrogate
  CHECK(Printable("\xc0\xaf") == "\\xc0\\xaf");         // overlong
  CHECK(IsUtf8("caf\xc3\xa9"));
  CHECK(!IsUtf8("\xf5\x80\x80\x80"));
  CHECK(rc::check([](const std::string& text) {
    const std::string shown = Printable(text);
    RC_ASSERT(IsUtf8(shown));
    for (const char c : shown) RC_ASSERT((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
  }));
}

TEST_CASE("the wire: what was written is read, and short or long is an error") {
  Writer out;
  out.U8(1);
  out.U16(0x0203);
  out.U32(0x04050607);
  out.U64(0x08090A0B0C0D0E0FULL);
  out.Bool(true);
  out.String("text");
  const ByteView whole = out.view();
  for (std::size_t size = 0; size <= whole.size() + 1; ++size) {
    SecretBytes bytes(whole.first(std::min(size, whole.size())));
    if (size > whole.size()) bytes.Append(std::uint8_t{0});
    Reader in(bytes.view());
    const bool equal = in.U8() == 1 && in.U16() == 0x0203 && in.U32() == 0x04050607 &&
                       in.U64() == 0x08090A0B0C0D0E0FULL && in.Bool() && in.Text() == "text";
    CHECK(in.Finish("it").ok() == (size == whole.size()));
    if (size >= whole.size()) CHECK(equal);
  }
  const std::uint8_t huge[] = {0xFF, 0xFF, 0xFF, 0xFF, 1};
  Reader strings(huge);
  CHECK(strings.String().empty());
  CHECK(!strings.ok());
  Reader counts(huge);
  CHECK(counts.Count(1) == 0);
  CHECK(!counts.ok());
  const std::uint8_t two[] = {2};
  Reader booleans(two);
  (void)booleans.Bool();
  CHECK(!booleans.ok());
}

TEST_CASE("files are replaced whole, and a lock has one holder") {
  test::TempFolder folder;
  const std::string path = folder / "file";
  CHECK(ReadFile(path, 10).Is(ErrorCode::kNotFound));
  REQUIRE(WriteFile(path, AsBytes("one"), 0600).ok());
  REQUIRE(WriteFile(path, AsBytes("two!"), 0600).ok());
  CHECK(TextOf(*ReadFile(path, 4)) == "two!");
  CHECK(ReadFile(path, 3).Is(ErrorCode::kLimit));
  CHECK(TextOf(*ReadRegularFile(path, 4)) == "two!");
  CHECK(ReadRegularFile(path, 3).Is(ErrorCode::kLimit));
  CHECK(ReadRegularFile(folder / "none", 4).Is(ErrorCode::kNotFound));
  CHECK(ReadRegularFile("/dev/zero", 4).Is(ErrorCode::kInvalid));
  CHECK(!WriteFile(folder / "none/file", AsBytes("x"), 0600).ok());
  CHECK(MakeFolders(folder / "a/b/c", 0700).ok());
  CHECK(MakeFolders(folder / "a/b/c", 0700).ok());
  CHECK(MakeFolders(path, 0700).Is(ErrorCode::kInvalid));
  ManualClock clock;
  auto first = FileLock::Take(folder / "lock", "first", clock, clock.Now());
  REQUIRE(first.ok());
  const auto second = FileLock::Take(folder / "lock", "second", clock, clock.Now() + seconds(1));
  REQUIRE(second.Is(ErrorCode::kUnavailable));
  CHECK(second.error().message().find("first") != std::string::npos);
}

TEST_CASE("tasks all run, in parallel or in the order of a seed") {
  for (const bool threads : {true, false}) {
    ThreadExecutor parallel(3);
    SequentialExecutor sequential(7);
    std::vector<int> done(20);
    std::vector<Executor::Task> tasks;
    for (int& one : done) tasks.push_back([&one] { ++one; });
    (threads ? static_cast<Executor&>(parallel) : sequential).RunAll(std::move(tasks));
    CHECK(done == std::vector<int>(20, 1));
    parallel.RunAll({});
  }
}

TEST_CASE("chance is even enough, and a seed replays it") {
  SeededRng a(3);
  SeededRng b(3);
  int seen[6] = {};
  for (int i = 0; i < 6000; ++i) {
    const auto value = a.Below(6);
    CHECK(value == b.Below(6));
    ++seen[value];
  }
  for (const int count : seen) CHECK(count > 800);
  CHECK(Uuid(a).size() == 36);
  CHECK(Uuid(a)[14] == '4');
}

}  // namespace hsmops::base
