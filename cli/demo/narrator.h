// Narrator: tells a story by commands as a user would type them, and fails where one does not show
// what it should.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/exit_code.h"

namespace hsmops::cli {

// What a command has to show.
struct Expected {
  int code = kDone;
  std::vector<std::string> says;   // on stdout or stderr
  std::vector<std::string> never;  // on neither
};

class Narrator {
 public:
  // `folder`: of the story; its cluster folder is in it.
  Narrator(Context& context, std::string folder)
      : context_(context), folder_(std::move(folder)), cluster_(folder_ + "/cluster") {}

  void Say(const std::string& sentence);
  // What happens beside the commands: "(unplugging the token of worker-1)".
  void Aside(const std::string& what);
  // Shows the command and what it printed, at most `lines` of it. kInternal: it was not as
  // expected.
  base::Result<void> Run(const std::vector<std::string>& words, const Expected& expected,
                         std::size_t lines = SIZE_MAX);
  // The same again and again, shown once it is as expected; for what others bring about.
  base::Result<void> Await(const std::vector<std::string>& words, const Expected& expected,
                           base::Duration limit, std::size_t lines = SIZE_MAX);
  // Again and again until it is true; `what` says what was waited for.
  base::Result<void> Until(const std::function<bool()>& holds, base::Duration limit,
                           const std::string& what);
  base::Result<void> File(const std::string& name, const std::string& content);

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  const std::string& cluster() const { return cluster_; }
  // A fresh cluster folder for what is told next.
  void UseCluster(const std::string& name) { cluster_ = folder_ + "/" + name; }
  Context& context() { return context_; }
  int commands() const { return commands_; }

 private:
  struct Ran {
    int code = kDone;
    std::string text;
  };
  Ran RunQuietly(const std::vector<std::string>& words);
  void Show(const std::vector<std::string>& words, const Ran& ran, std::size_t lines);

  Context& context_;
  const std::string folder_;
  std::string cluster_;
  int commands_ = 0;
};

}  // namespace hsmops::cli
