// Verb: one word of `kubectl hsm`, with its flags and what it does.
//
// A verb declares its words into variables of its own and returns what runs it; the parser behind
// Words is App's. So a verb can be run by a test without a process.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace hsmops::cli {

class Context;

// What a verb may ask for on the command line. Names without dashes.
class Words {
 public:
  virtual ~Words() = default;
  virtual void Flag(const std::string& name, const std::string& help, bool& target) = 0;
  virtual void Option(const std::string& name, const std::string& value, const std::string& help,
                      std::string& target) = 0;
  // May stand several times.
  virtual void List(const std::string& name, const std::string& value, const std::string& help,
                    std::vector<std::string>& target) = 0;
  // Of a word declared before: what it takes, where that can be listed, for completion. Where it
  // cannot, the word `value` tells: FILE, PATH, FOLDER, DIR, NODE, DEVICE, ID, or NAME of a secret.
  virtual void Takes(const std::string& name, std::vector<std::string> values) = 0;
  virtual void Argument(const std::string& name, const std::string& help, std::string& target,
                        bool required) = 0;
  virtual void Arguments(const std::string& name, const std::string& help,
                         std::vector<std::string>& target) = 0;
};

using Runner = std::function<int(Context&)>;  // to an exit code

struct Verb {
  std::string name;
  std::string summary;  // one line
  std::vector<std::string> aliases;
  std::vector<std::string> examples;  // whole command lines
  bool acts = false;                  // its default --timeout is 60 s, else 10 s
  std::function<Runner(Words&)> declare;
};

}  // namespace hsmops::cli
