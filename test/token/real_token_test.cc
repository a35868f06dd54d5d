// What every real token must do for us. test/token/run runs the suite "real token" once with each
// of them beside it, in a process of its own, and "refused token" with those that cannot serve.
#include "test/support/real_token.h"

#include <doctest/doctest.h>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/token/pkcs11_token.h"
#include "test/support/temp_folder.h"

namespace hsmops::test {
namespace {

using base::AsBytes;

struct Opened {
  TempFolder folder;
  base::SystemClock clock;
  base::SystemRng rng;
  RealToken real = RealToken::FromEnvironment();
  std::unique_ptr<token::Pkcs11Token> token = Open();

  std::unique_ptr<token::Pkcs11Token> Open() {
    auto uri = token::Uri::Parse(real.uri);
    REQUIRE_MESSAGE(uri.ok(), real.uri);
    token::Pkcs11Options options;
    options.state_folder = folder.path();
    options.lock_folder = folder.path();
    options.on_hung = [](const std::string& function) { FAIL("hung in ", function); };
    auto opened = token::Pkcs11Token::Open(*uri, std::move(options), clock, rng);
    REQUIRE_MESSAGE(opened.ok(), real.uri);
    return *std::move(opened);
  }
};

std::string TextOf(const base::SecretBytes& value) {
  return {value.view().begin(), value.view().end()};
}

}  // namespace

TEST_SUITE("real token") {
  TEST_CASE("what is created is found and read in a fresh view, and what is destroyed is gone") {
    Opened on;
    REQUIRE(on.token->Refresh().ok());
    REQUIRE(on.token->Create("khsm-test", "one", AsBytes("first value")).ok());
    REQUIRE(on.token->Create("khsm-test", "two", AsBytes("second value")).ok());
    REQUIRE(on.token->Barrier().ok());
    REQUIRE(on.token->Refresh().ok());
    CHECK(on.token->Find("khsm-test")->size() == 2);
    const auto found = on.token->FindLabel("khsm-test", "two");
    REQUIRE(found.ok());
    REQUIRE(found->size() == 1);
    CHECK(TextOf(on.token->Read(found->front())->value) == "second value");
    REQUIRE(on.token->Destroy(found->front()).ok());
    REQUIRE(on.token->Refresh().ok());
    CHECK(on.token->Find("khsm-test")->size() == 1);
  }

  TEST_CASE("a token that is unplugged is unavailable, and after its return holds what it held") {
    Opened on;
    if (!on.real.can_unplug) return;
    REQUIRE(on.token->Refresh().ok());
    REQUIRE(on.token->Create("khsm-test", "kept", AsBytes("value")).ok());
    REQUIRE(on.token->Barrier().ok());
    on.real.Unplug();
    CHECK(!on.token->Refresh().ok());
    on.real.Replug();
    REQUIRE(on.token->Refresh().ok());
    CHECK(on.token->FindLabel("khsm-test", "kept")->size() == 1);
  }
}

TEST_SUITE("refused token") {
  TEST_CASE(
      "a token that keeps no data objects is refused with a message that says what happened") {
    Opened on;
    auto done = on.token->Refresh();
    if (done.ok()) {
      auto created = on.token->Create("khsm-test", "one", AsBytes("value"));
      REQUIRE(!created.ok());
      done = created.error();
    }
    REQUIRE(!done.ok());
    CHECK(done.error().message().find("CKR_") != std::string::npos);
    MESSAGE(done.error().message());
  }
}

}  // namespace hsmops::test
