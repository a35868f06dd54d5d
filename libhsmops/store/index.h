// Index: where on the token each version of each secret is, built once for each view.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libhsmops/store/inventory.h"
#include "libhsmops/store/label.h"
#include "libhsmops/store/record.h"
#include "libhsmops/token/token.h"

namespace hsmops::store {

// One HEAD object and the PARTs found for it.
struct HeadRef {
  token::ObjectHandle handle;
  Version version;
  bool valid = false;    // the head decodes and is what its label says
  bool proven = false;   // loaded in a view that began after it was written
  bool damaged = false;  // a part was read and is not what was written, in two views
  bool tombstone = false;
  base::Digest digest{};
  std::string name;
  std::vector<std::string> keys;
  std::vector<OpId> op_ids;
  base::WallTime written_at;
  std::uint64_t bytes = 0;
  std::uint32_t part_count = 0;
  std::vector<std::vector<token::ObjectHandle>> parts;  // by part number; more than one: duplicates

  bool Complete() const;  // valid, not known damaged, and every part is there
};

struct Orphan {
  token::ObjectHandle handle;
  Version version;
};

struct Entry {
  std::vector<HeadRef> heads;  // the greatest version first; of one version, complete ones first
  std::vector<HeadRef> quarantine;
  std::vector<Orphan> orphans;  // parts without a head

  // The greatest complete head that nothing unreadable stands above; nullptr when there is none.
  const HeadRef* Newest() const;
  // An unreadable or incomplete head is above everything that is whole.
  bool DamagedAbove() const;
};

class Index {
 public:
  // Reads every object with our application. Any failed read is an error: half an index would make
  // things look absent. Heads that `previous` knows valid by the same label are not read again when
  // `reread` is false; Verify reads them.
  static base::Result<Index> Build(token::Token& token, const Uid& pool, const Index* previous,
                                   bool reread);

  const Entry* Find(const Id& id) const;
  Entry& At(const Id& id);
  std::map<Id, Entry>& entries() { return entries_; }
  const std::map<Id, Entry>& entries() const { return entries_; }
  void Erase(const Id& id);

  const std::optional<EpochRecord>& epoch() const { return epoch_; }
  void SetEpoch(EpochRecord record, token::ObjectHandle handle);
  std::vector<token::ObjectHandle>& epoch_objects() { return epoch_objects_; }  // the newest last
  const std::vector<token::ObjectHandle>& epoch_objects() const { return epoch_objects_; }
  std::uint64_t foreign() const { return foreign_; }
  std::uint64_t foreign_pool() const { return foreign_pool_; }
  std::uint64_t objects() const { return objects_; }
  void AddObjects(std::int64_t delta) {
    objects_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(objects_) + delta);
  }
  // The highest lsn on any label of ours, readable or not.
  std::uint64_t highest_lsn() const { return highest_lsn_; }
  void NoteLsn(std::uint64_t lsn) { highest_lsn_ = std::max(highest_lsn_, lsn); }

  // Adds one head in its place.
  void Insert(const Id& id, HeadRef head);

 private:
  base::Result<void> Take(token::Token& token, token::ObjectHandle handle, const Uid& pool,
                          const Index* previous, bool reread,
                          std::vector<std::pair<Label, token::ObjectHandle>>& parts);
  void Place(const std::vector<std::pair<Label, token::ObjectHandle>>& parts);

  std::map<Id, Entry> entries_;
  std::optional<EpochRecord> epoch_;
  std::vector<token::ObjectHandle> epoch_objects_;
  std::uint64_t foreign_ = 0;
  std::uint64_t foreign_pool_ = 0;
  std::uint64_t objects_ = 0;
  std::uint64_t highest_lsn_ = 0;
};

// A HeadRef of a decoded head, without handle and parts.
HeadRef Describe(const Head& head);

}  // namespace hsmops::store
