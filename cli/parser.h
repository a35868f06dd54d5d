// Parser: the command line's words, for who runs a verb and who completes one. Only here and where
// it is included is CLI11 known.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/verb.h"

namespace hsmops::cli {

using Choices = std::map<const CLI::Option*, std::vector<std::string>>;

// Its options point into it, so it does not move.
struct Parser {
  // For these words of a command line: only the verbs that are among them take words of their own,
  // since all of them together are most of the work.
  explicit Parser(const std::vector<std::string>& words);
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  CLI::App app{"Keeps the same secrets on several hardware security modules, and proves it"};
  Globals globals;
  std::vector<Verb> verbs;
  std::map<CLI::App*, Runner> runners;
  std::map<CLI::App*, const Verb*> by_app;
  Choices choices;  // where only some values are known

 private:
  void AddVerb(const Verb& verb, bool with_words);
  void AddGlobals();
  void AddKubectl(const char* group);
};

}  // namespace hsmops::cli
