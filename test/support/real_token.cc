#include "test/support/real_token.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "test/support/process.h"

namespace hsmops::test {
namespace {

std::string Env(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

void RunPlug(const char* name) {
  const Ended ended = Run({Env(name)});
  REQUIRE_MESSAGE(ended.code == 0, name, ": ", ended.err);
}

}  // namespace

RealToken RealToken::FromEnvironment() {
  RealToken token{Env("HSMOPS_TOKEN_KIND"), Env("HSMOPS_TOKEN_URI"),
                  !Env("HSMOPS_TOKEN_UNPLUG").empty(), !Env("HSMOPS_TOKEN_RENEW").empty()};
  REQUIRE_MESSAGE(!token.uri.empty(), "no token beside this test: run it by test/token/with_token");
  return token;
}

void RealToken::Unplug() const { RunPlug("HSMOPS_TOKEN_UNPLUG"); }
void RealToken::Replug() const { RunPlug("HSMOPS_TOKEN_REPLUG"); }
void RealToken::Renew() const { RunPlug("HSMOPS_TOKEN_RENEW"); }

}  // namespace hsmops::test
