// What libhsmops/token/token.h promises of views, of other processes and of a device that goes and
// comes back, on MemoryToken and on every real token.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "libhsmops/base/file.h"
#include "test/support/temp_folder.h"
#include "test/token/token_under_test.h"

namespace hsmops::test {
namespace {

using base::AsBytes;
using base::ErrorCode;

constexpr token::ObjectHandle kNoObject{1};

}  // namespace

TEST_SUITE("every token") {
  TEST_CASE("before the first view every call is refused, and the status is told") {
    const auto on = TokenUnderTest::Make();
    token::Token& token = on->token();
    CHECK(token.view() == 0);
    CHECK(token.view_lost());
    CHECK(token.Random(8).Is(ErrorCode::kUnavailable));
    CHECK(token.Find(kOurs).Is(ErrorCode::kUnavailable));
    CHECK(token.FindLabel(kOurs, "app").Is(ErrorCode::kUnavailable));
    CHECK(token.Create(kOurs, "app", AsBytes("v")).Is(ErrorCode::kUnavailable));
    CHECK(token.Read(kNoObject).Is(ErrorCode::kUnavailable));
    CHECK(token.ReadValue(kNoObject).Is(ErrorCode::kUnavailable));
    CHECK(token.ReadLabel(kNoObject).Is(ErrorCode::kUnavailable));
    CHECK(token.Destroy(kNoObject).Is(ErrorCode::kUnavailable));
    CHECK(token.Barrier().Is(ErrorCode::kUnavailable));
    CHECK(token.SyncAll().Is(ErrorCode::kUnavailable));
    CHECK(token.Watch().Is(ErrorCode::kUnavailable));
    const auto status = token.ReadStatus();
    REQUIRE(status.ok());
    CHECK(status->initialized);
    CHECK(token.view() == 0);
    REQUIRE(token.Refresh().ok());
    CHECK(token.Find(kOurs)->empty());
  }

  TEST_CASE("the status names the token and its PIN, the same in every view") {
    const auto on = TokenUnderTest::Make();
    token::Token& token = on->token();
    const auto before = token.ReadStatus();
    REQUIRE(before.ok());
    for (int views = 0; views < 2; ++views) {
      REQUIRE(token.Refresh().ok());
      const auto status = token.ReadStatus();
      REQUIRE(status.ok());
      CHECK(status->identity == before->identity);
      CHECK(status->pin == token::PinState::kAccepted);
      CHECK(status->initialized);
      CHECK(!status->write_protected);
      CHECK(status->free_bytes.value_or(1 << 20) > 64 * 1024);
    }
    for (const std::string& field :
         {before->identity.label, before->identity.serial, before->identity.manufacturer}) {
      CHECK(!field.empty());
      CHECK(field.back() != ' ');
    }
  }

  TEST_CASE("views are counted, and a handle of an earlier one never shows another object") {
    const auto on = InView();
    token::Token& token = on->token();
    CHECK(token.view() == 1);
    std::vector<token::ObjectHandle> old;
    for (const char* label : {"a", "b", "c"})
      old.push_back(*token.Create(kOurs, label, AsBytes(label)));
    REQUIRE(token.Barrier().ok());
    REQUIRE(token.Destroy(old[0]).ok());
    REQUIRE(token.Refresh().ok());
    CHECK(token.view() == 2);
    CHECK(!token.view_lost());
    CHECK(Labels(token, kOurs) == "b c");  // the handles of this view are given out
    for (const token::ObjectHandle handle : old) {
      CHECK(token.Read(handle).Is(ErrorCode::kUnavailable));
      CHECK(token.ReadValue(handle).Is(ErrorCode::kUnavailable));
      CHECK(token.ReadLabel(handle).Is(ErrorCode::kUnavailable));
      CHECK(token.Destroy(handle).Is(ErrorCode::kUnavailable));
    }
    CHECK(!token.view_lost());
    CHECK(Labels(token, kOurs) == "b c");
    REQUIRE(token.Refresh().ok());
    CHECK(token.view() == 3);
    CHECK(Labels(token, kOurs) == "b c");
  }

  TEST_CASE("views come and go without touching a file that this process has open") {
    const auto on = InView();
    TempFolder folder;
    std::vector<base::Fd> files;
    for (int views = 0; views < 4; ++views) {
      if (views == 1) on->Reopen();
      for (int i = 0; i < 4; ++i) {  // each takes the lowest number that is free
        files.emplace_back(open((folder / std::to_string(files.size())).c_str(),
                                O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
        REQUIRE(files.back());
      }
      REQUIRE(on->token().Refresh().ok());
      for (std::size_t i = 0; i < files.size(); ++i) {
        CAPTURE(i);
        struct stat open_file{};
        struct stat named{};
        REQUIRE(stat((folder / std::to_string(i)).c_str(), &named) == 0);
        CHECK(fstat(files[i].get(), &open_file) == 0);
        CHECK(open_file.st_ino == named.st_ino);
      }
    }
  }

  TEST_CASE("what another process wrote or destroyed is so after Refresh") {
    const auto on = InView();
    token::Token& token = on->token();
    REQUIRE(token.Create(kOurs, "mine", AsBytes("1")).ok());
    REQUIRE(token.Create(kOurs, "taken", AsBytes("2")).ok());
    REQUIRE(token.Barrier().ok());
    on->CreateElsewhere(kOurs, "theirs", "written elsewhere");
    on->DestroyElsewhere(kOurs, "taken");
    REQUIRE(token.Refresh().ok());
    CHECK(Labels(token, kOurs) == "mine theirs");
    CHECK(ValueOf(token, kOurs, "theirs") == "written elsewhere");
    CHECK(ValueOf(token, kOurs, "mine") == "1");
  }

  TEST_CASE(
      "what a Barrier has passed is there for the next process, and what was destroyed is not") {
    const auto on = InView();
    token::Token& token = on->token();
    REQUIRE(token.Create(kOurs, "gone", AsBytes("0")).ok());
    for (const char* label : {"a", "b", "c"})
      REQUIRE(token.Create(kOurs, label, AsBytes(std::string("of ") + label)).ok());
    REQUIRE(token.Destroy(token.FindLabel(kOurs, "gone")->front()).ok());
    REQUIRE(token.Barrier().ok());
    REQUIRE(token.Barrier().ok());  // nothing new: nothing to do
    on->Reopen();
    REQUIRE(on->token().Refresh().ok());
    REQUIRE(on->token().SyncAll().ok());
    CHECK(Labels(on->token(), kOurs) == "a b c");
    CHECK(ValueOf(on->token(), kOurs, "b") == "of b");
  }

  TEST_CASE("random bytes are as many as were asked for, and never the same") {
    const auto on = InView();
    for (const std::size_t size : {1, 16, 1000}) {
      const auto one = on->token().Random(size);
      const auto other = on->token().Random(size);
      REQUIRE(one.ok());
      REQUIRE(other.ok());
      CHECK(one->size() == size);
      CHECK(other->size() == size);
      if (size > 1) CHECK(*one != *other);
      if (size == 1000) CHECK(std::count(one->begin(), one->end(), 0) < 50);
    }
  }

  TEST_CASE("watching a token notices that it went away, before any other call does") {
    const auto on = InView();
    for (int looks = 0; looks < 3; ++looks) CHECK(on->token().Watch().ok());
    CHECK(on->token().view() == 1);
    if (!on->traits().unplugs) return;  // said in the traits
    on->Unplug();
    CHECK(on->token().Watch().Is(ErrorCode::kUnavailable));
    CHECK(on->token().view_lost());
    CHECK(on->token().Find(kOurs).Is(ErrorCode::kUnavailable));
    on->Replug();
    REQUIRE(on->token().Refresh().ok());
    CHECK(on->token().Watch().ok());
  }

  TEST_CASE("a token that is away is unavailable, and after its return holds what it held") {
    const auto on = InView();
    if (!on->traits().unplugs) return;  // said in the traits
    token::Token& token = on->token();
    REQUIRE(token.Create(kOurs, "kept", AsBytes("value")).ok());
    REQUIRE(token.Barrier().ok());
    const auto old = token.FindLabel(kOurs, "kept");
    CHECK(token.Watch().ok());
    CHECK(!token.view_lost());
    on->Unplug();
    if (on->traits().away == Traits::Away::kRandomRefused) {
      CHECK(token.Random(8).Is(ErrorCode::kUnavailable));
      CHECK(token.view_lost());
    }
    if (on->traits().away == Traits::Away::kUnavailable) {
      CHECK(token.Find(kOurs).Is(ErrorCode::kUnavailable));
      CHECK(token.view_lost());
      CHECK(token.Create(kOurs, "lost", AsBytes("value")).Is(ErrorCode::kUnavailable));
      CHECK(token.Read(old->front()).Is(ErrorCode::kUnavailable));
    }
    CHECK(token.Watch().Is(ErrorCode::kUnavailable));
    CHECK(token.view_lost());
    CHECK(token.Refresh().Is(ErrorCode::kUnavailable));
    CHECK(token.view() == 1);
    CHECK(token.view_lost());
    CHECK(token.ReadStatus().Is(ErrorCode::kUnavailable));
    CHECK(token.Find(kOurs).Is(ErrorCode::kUnavailable));
    CHECK(token.Refresh().Is(ErrorCode::kUnavailable));
    on->Replug();
    CHECK(token.Watch().Is(ErrorCode::kUnavailable));  // a lost view does not come back by itself
    REQUIRE(token.Refresh().ok());
    CHECK(token.Watch().ok());
    CHECK(token.view() == 2);
    CHECK(token.Read(old->front()).Is(ErrorCode::kUnavailable));
    CHECK(Labels(token, kOurs) == "kept");
    CHECK(ValueOf(token, kOurs, "kept") == "value");
    REQUIRE(token.Create(kOurs, "more", AsBytes("value")).ok());
    REQUIRE(token.Barrier().ok());
  }
}

}  // namespace hsmops::test
