// Tokens that cannot serve are refused, and the message says what happened, why, and what to do.
// NSS's softokn is the one at hand: it keeps no private data objects.
#include <doctest/doctest.h>

#include <cstdlib>

#include "libhsmops/token/uri.h"
#include "test/support/process.h"
#include "test/support/real_token.h"
#include "test/token/store_under_test.h"

namespace hsmops::test {
namespace {

using base::ErrorCode;

void CheckRefusal(const base::Error& error) {
  CHECK(error.code() == ErrorCode::kInvalid);
  CHECK(error.message() ==
        "token \"NSS Certificate DB\" (NSS 3) takes no private CKO_DATA objects, so it cannot hold "
        "secrets: C_CreateObject: CKR_ATTRIBUTE_VALUE_INVALID; name another token by module-path "
        "and token");
}

}  // namespace

TEST_SUITE("refused token") {
  TEST_CASE("a token that keeps no data objects refuses each one, and says what to do instead") {
    const auto on = InView();
    for (int tries = 0; tries < 2; ++tries) {
      const auto created = on->token().Create(kOurs, "one", base::AsBytes("value"));
      REQUIRE(!created.ok());
      CheckRefusal(created.error());
      CHECK(!on->token().view_lost());
    }
    REQUIRE(on->token().Refresh().ok());
    CHECK(on->token().Find(kOurs)->empty());
  }

  TEST_CASE("such a token is not made a member, and says so") {
    const auto on = InView();
    store::Ledger ledger = store::Ledger::InMemory();
    base::SystemClock clock;
    base::SystemRng rng;
    store::SecretStore store(on->token(), ledger, clock, rng);
    REQUIRE(*store.Open(kPool, kMember) == store::Standing::kBlank);
    const auto made = store.Initialize(kPool, kMember, {kEpoch, 1}, false);
    REQUIRE(!made.ok());
    CheckRefusal(made.error());
    CHECK(*store.Open(kPool, kMember) == store::Standing::kBlank);
  }

  TEST_CASE("a module that does not start without arguments of its own is refused by its name") {
    const char* module =
        std::getenv("KHSM_FAULT_MODULE");  // behind our fault module, which has them
    REQUIRE(module != nullptr);
    auto uri = token::Uri::Parse(RealToken::FromEnvironment().uri);
    REQUIRE(uri.ok());
    uri->module_path = module;
    TempFolder folder;
    const Ended ended = Run({ProgramPath("token_worker"), uri->ToString(), folder.path(), "view"});
    CHECK(ended.code == 1);
    CHECK(ended.out == std::string("error Invalid: ") + module +
                           ": C_Initialize: CKR_ARGUMENTS_BAD: this module does not start without "
                           "arguments of its own, which are not given here; name another in "
                           "module-path\n");
  }
}

}  // namespace hsmops::test
