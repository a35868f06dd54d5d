// ServingWords: the words that the long-running faces share: whom they believe, what they prove
// themselves with, and what they tell whoever watches them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/process_log.h"
#include "cli/verb.h"
#include "libhsmops/net/credentials.h"
#include "libhsmops/net/status_server.h"

namespace hsmops::cli {

struct ServingWords {
  std::string status_listen;
  net::CredentialFiles credentials;
  std::string log_format;

  // `role`: of the certificate, "member/NODE".
  void Declare(Words& words, const std::string& role);
  // kInvalid: one of these, or of the verb's `own`, was not given.
  base::Result<void> Need(const std::string& verb,
                          const std::vector<std::pair<std::string, const std::string*>>& own) const;
};

// What it could not begin with: a file or module that is not there is no object that is not found.
int FailToServe(Context& context, const base::Error& error);

// "listening on ADDRESS" last, so that who waits for it has seen the rest.
void SayListening(ProcessLog& log, const net::Listening& at);

}  // namespace hsmops::cli
