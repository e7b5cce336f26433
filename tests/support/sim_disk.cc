#include "tests/support/sim_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "common/check.h"

namespace lockstep {
namespace {

using Sector = std::string;

}  // namespace

struct SimDisk::File {
  std::string content;
  bool ever_synced = false;
  bool deleted = false;  // but not durably
  // What the sectors written since the last sync held before, from the synced content on.
  std::unordered_map<int64_t, std::vector<Sector>> older;
  // The same of sectors whose sync failed, and that were not written since.
  std::unordered_map<int64_t, std::vector<Sector>> given_up;
  std::vector<int64_t> older_sizes;
};

struct SimDisk::Vfs {
  using Files = std::map<std::string, File>;

  int sector_size = 512;
  std::string name;
  sqlite3_vfs methods = {};
  Files files;
  std::optional<Files> at_crash;
  int64_t operations = 0;
  int64_t crash_before = 0;
  std::optional<DiskFault> fault;
  int64_t operations_of_fault = 0;  // of its kind, since it was planned
  bool failed = false;
  int64_t temporary_files = 0;
  int open_files = 0;
  std::optional<std::string> loses_syncs_of;

  // Whether this operation is one that fails.
  bool Fails(DiskFault::Operation operation) {
    if (!fault || fault->operation != operation) return false;
    ++operations_of_fault;
    const bool fails =
        fault->for_good ? operations_of_fault >= fault->nth : operations_of_fault == fault->nth;
    failed = failed || fails;
    return fails;
  }
  void BeforeChange() {
    ++operations;
    if (crash_before > 0 && --crash_before == 0) Crash();
  }
  void Crash() {
    crash_before = 0;
    if (!at_crash) at_crash = files;
  }

  Sector ReadSector(const File& file, int64_t number) const {
    Sector sector(static_cast<size_t>(sector_size), '\0');
    const size_t start = static_cast<size_t>(number * sector_size);
    if (start < file.content.size()) {
      const size_t size = std::min(sector.size(), file.content.size() - start);
      sector.replace(0, size, file.content, start, size);
    }
    return sector;
  }
  void Remember(File* file, int64_t from, int64_t to) const {
    for (int64_t number = from / sector_size; number * sector_size < to; ++number) {
      std::vector<Sector>& older = file->older[number];
      if (auto lost = file->given_up.extract(number)) older = std::move(lost.mapped());
      Sector now = ReadSector(*file, number);
      if (older.empty() || older.back() != now) older.push_back(std::move(now));
    }
  }
  void RememberSize(File* file) const {
    file->older_sizes.push_back(static_cast<int64_t>(file->content.size()));
  }
  void LosePower(File* file, std::mt19937_64& random) const;
  void LosePower(Files* all, std::mt19937_64& random) const;
};

namespace {

using Vfs = SimDisk::Vfs;

struct OpenFile {
  sqlite3_file head;
  Vfs* disk;
  SimDisk::File* file;
  bool loses_syncs;
};

bool IsThere(const Vfs& disk, const Vfs::Files::const_iterator& file) {
  return file != disk.files.end() && !file->second.deleted;
}

OpenFile* Self(sqlite3_file* file) { return reinterpret_cast<OpenFile*>(file); }
Vfs* DiskOf(sqlite3_vfs* vfs) { return static_cast<Vfs*>(vfs->pAppData); }

int Close(sqlite3_file* file) {
  --Self(file)->disk->open_files;
  return SQLITE_OK;
}

int Read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  Vfs* disk = Self(file)->disk;
  if (disk->Fails(DiskFault::Operation::kRead)) return SQLITE_IOERR_READ;
  const std::string& content = Self(file)->file->content;
  const int64_t there = std::max<int64_t>(0, std::ssize(content) - offset);
  const size_t part = static_cast<size_t>(std::min<int64_t>(size, there));
  if (part > 0) std::memcpy(bytes, content.data() + offset, part);
  std::memset(static_cast<char*>(bytes) + part, 0, static_cast<size_t>(size) - part);
  return part == static_cast<size_t>(size) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

void WriteBytes(const OpenFile& file, const void* bytes, int size, sqlite3_int64 offset) {
  Vfs* disk = file.disk;
  SimDisk::File* target = file.file;
  disk->Remember(target, offset, offset + size);
  const size_t end = static_cast<size_t>(offset + size);
  if (target->content.size() < end) {
    disk->RememberSize(target);
    target->content.resize(end);
  }
  std::memcpy(target->content.data() + offset, bytes, static_cast<size_t>(size));
}

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  Vfs* disk = Self(file)->disk;
  disk->BeforeChange();
  if (!disk->Fails(DiskFault::Operation::kWrite)) {
    WriteBytes(*Self(file), bytes, size, offset);
    return SQLITE_OK;
  }
  const DiskFault::Kind kind = disk->fault->kind;
  // As SQLite's own VFS tells it when the disk takes less than it was given.
  const int64_t half = (offset + size / 2) / disk->sector_size * disk->sector_size - offset;
  if (kind == DiskFault::Kind::kShortWrite && half > 0) {
    WriteBytes(*Self(file), bytes, static_cast<int>(half), offset);
  }
  return kind == DiskFault::Kind::kIoError ? SQLITE_IOERR_WRITE : SQLITE_FULL;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  Vfs* disk = Self(file)->disk;
  SimDisk::File* target = Self(file)->file;
  disk->BeforeChange();
  if (disk->Fails(DiskFault::Operation::kTruncate)) return SQLITE_IOERR_TRUNCATE;
  disk->RememberSize(target);
  disk->Remember(target, size, static_cast<int64_t>(target->content.size()));
  target->content.resize(static_cast<size_t>(size));
  return SQLITE_OK;
}

int Sync(sqlite3_file* file, int) {
  Vfs* disk = Self(file)->disk;
  disk->BeforeChange();
  SimDisk::File* target = Self(file)->file;
  if (disk->Fails(DiskFault::Operation::kSync)) {
    target->given_up.merge(target->older);
    target->older.clear();
    return SQLITE_IOERR_FSYNC;
  }
  if (Self(file)->loses_syncs) return SQLITE_OK;
  target->older.clear();
  target->older_sizes.clear();
  target->ever_synced = true;
  return SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  *size = std::ssize(Self(file)->file->content);
  return SQLITE_OK;
}

int Lock(sqlite3_file*, int) { return SQLITE_OK; }
int CheckReservedLock(sqlite3_file*, int* reserved) {
  *reserved = 0;
  return SQLITE_OK;
}
int FileControl(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int SectorSize(sqlite3_file* file) { return Self(file)->disk->sector_size; }
int DeviceCharacteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

constexpr sqlite3_io_methods MakeFileMethods() {
  sqlite3_io_methods methods = {};
  methods.iVersion = 1;
  methods.xClose = Close;
  methods.xRead = Read;
  methods.xWrite = Write;
  methods.xTruncate = Truncate;
  methods.xSync = Sync;
  methods.xFileSize = FileSize;
  methods.xLock = Lock;
  methods.xUnlock = Lock;
  methods.xCheckReservedLock = CheckReservedLock;
  methods.xFileControl = FileControl;
  methods.xSectorSize = SectorSize;
  methods.xDeviceCharacteristics = DeviceCharacteristics;
  return methods;
}
constexpr sqlite3_io_methods kFileMethods = MakeFileMethods();

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  Vfs* disk = DiskOf(vfs);
  file->pMethods = nullptr;
  if (disk->Fails(DiskFault::Operation::kOpen)) return SQLITE_CANTOPEN;
  const std::string key =
      name == nullptr ? "temporary " + std::to_string(disk->temporary_files++) : name;
  auto found = disk->files.find(key);
  if (!IsThere(*disk, found)) {
    if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    found = disk->files.insert_or_assign(key, SimDisk::File{}).first;
  }
  *Self(file) =
      OpenFile{.head = {.pMethods = &kFileMethods},
               .disk = disk,
               .file = &found->second,
               .loses_syncs = disk->loses_syncs_of && key.ends_with(*disk->loses_syncs_of)};
  ++disk->open_files;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  Vfs* disk = DiskOf(vfs);
  const auto found = disk->files.find(name);
  if (!IsThere(*disk, found)) return SQLITE_IOERR_DELETE_NOENT;
  disk->BeforeChange();
  if (sync_directory != 0) {
    disk->files.erase(found);
  } else {
    found->second.deleted = true;
  }
  return SQLITE_OK;
}

int Access(sqlite3_vfs* vfs, const char* name, int, int* result) {
  Vfs* disk = DiskOf(vfs);
  *result = IsThere(*disk, disk->files.find(name)) ? 1 : 0;
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int Randomness(sqlite3_vfs*, int size, char* out) {
  std::memset(out, 7, static_cast<size_t>(size));
  return size;
}

int Sleep(sqlite3_vfs*, int) { return 0; }

int CurrentTime(sqlite3_vfs*, double* days) {
  *days = 2460000.5;
  return SQLITE_OK;
}

int GetLastError(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

void SimDisk::Vfs::LosePower(File* file, std::mt19937_64& random) const {
  // From "nearly nothing got through" to "nearly all": both ends matter, and so does the middle.
  constexpr int kNewestPercent[] = {0, 10, 50, 50, 90, 97, 100};
  const int newest_percent = kNewestPercent[random() % std::size(kNewestPercent)];
  const auto take_newest = [&] { return static_cast<int>(random() % 100) < newest_percent; };

  std::string image = file->content;
  if (!file->older_sizes.empty() && !take_newest()) {
    image.resize(static_cast<size_t>(file->older_sizes[random() % file->older_sizes.size()]));
  }
  // In the order of the file, not of the hash table: a seed gives the same image everywhere.
  std::map<int64_t, std::vector<Sector>> all_older(file->older.begin(), file->older.end());
  all_older.insert(file->given_up.begin(), file->given_up.end());
  for (const auto& [number, older] : all_older) {
    if (take_newest()) continue;
    const Sector& sector = older[random() % older.size()];
    const size_t start = static_cast<size_t>(number * sector_size);
    if (start >= image.size()) continue;
    image.replace(start, std::min(sector.size(), image.size() - start), sector, 0,
                  std::min(sector.size(), image.size() - start));
  }
  *file = File{};
  file->content = std::move(image);
  file->ever_synced = true;
}

void SimDisk::Vfs::LosePower(Files* all, std::mt19937_64& random) const {
  for (auto it = all->begin(); it != all->end();) {
    File& file = it->second;
    const bool gone = file.deleted ? random() % 2 == 0 : !file.ever_synced && random() % 4 == 0;
    if (gone || it->first.starts_with("temporary ")) {
      it = all->erase(it);
      continue;
    }
    file.deleted = false;
    LosePower(&file, random);
    ++it;
  }
}

SimDisk::SimDisk(int sector_size) : vfs_(std::make_unique<Vfs>()) {
  static std::atomic<int> next_number = 0;
  vfs_->sector_size = sector_size;
  vfs_->name = "sim-disk-" + std::to_string(next_number++);
  sqlite3_vfs& methods = vfs_->methods;
  methods.iVersion = 1;
  methods.szOsFile = sizeof(OpenFile);
  methods.mxPathname = 512;
  methods.zName = vfs_->name.c_str();
  methods.pAppData = vfs_.get();
  methods.xOpen = Open;
  methods.xDelete = Delete;
  methods.xAccess = Access;
  methods.xFullPathname = FullPathname;
  methods.xRandomness = Randomness;
  methods.xSleep = Sleep;
  methods.xCurrentTime = CurrentTime;
  methods.xGetLastError = GetLastError;
  LOCKSTEP_CHECK(sqlite3_vfs_register(&methods, 0) == SQLITE_OK, "SQLite refused the disk");
}

SimDisk::~SimDisk() {
  LOCKSTEP_CHECK(vfs_->open_files == 0, "the disk goes while files are open");
  sqlite3_vfs_unregister(&vfs_->methods);
}

const std::string& SimDisk::vfs_name() const { return vfs_->name; }
void SimDisk::CrashBefore(int64_t nth) { vfs_->crash_before = nth; }
void SimDisk::Spare() { vfs_->crash_before = 0; }
void SimDisk::CrashNow() { vfs_->Crash(); }
bool SimDisk::crashed() const { return vfs_->at_crash.has_value(); }
void SimDisk::Fail(const DiskFault& fault) {
  vfs_->fault = fault;
  vfs_->operations_of_fault = 0;
  vfs_->failed = false;
}
void SimDisk::Heal() { vfs_->fault.reset(); }
void SimDisk::SpareFailures() {
  Heal();
  vfs_->failed = false;
}
void SimDisk::Damage(const std::string& name, int64_t from, int64_t to) {
  std::string& content = vfs_->files.at(name).content;
  LOCKSTEP_CHECK(to <= static_cast<int64_t>(content.size()), "nothing is there to be damaged");
  std::fill(content.begin() + from, content.begin() + to, '\xa5');
}
void SimDisk::LoseSyncsOf(const std::string& name_end) { vfs_->loses_syncs_of = name_end; }
bool SimDisk::failed() const { return vfs_->failed; }
int64_t SimDisk::operations() const { return vfs_->operations; }

void SimDisk::KillProcess() {
  LOCKSTEP_CHECK(crashed() && vfs_->open_files == 0, "the ghost is still at work");
  vfs_->files = *std::move(vfs_->at_crash);
  vfs_->at_crash.reset();
}

void SimDisk::LosePower(std::mt19937_64& random) {
  KillProcess();
  vfs_->LosePower(&vfs_->files, random);
}

SimDisk::Image SimDisk::ImageAfterKill() const {
  Image image;
  for (const auto& [name, file] : vfs_->files) {
    if (!file.deleted) image[name] = file.content;
  }
  return image;
}

SimDisk::Image SimDisk::ImageAfterPowerLoss(std::mt19937_64& random) const {
  Vfs::Files files = vfs_->files;
  vfs_->LosePower(&files, random);
  Image image;
  for (auto& [name, file] : files) image[name] = std::move(file.content);
  return image;
}

void SimDisk::Put(const Image& image) {
  LOCKSTEP_CHECK(vfs_->open_files == 0, "files are changed while they are open");
  vfs_->files.clear();
  for (const auto& [name, content] : image) {
    File& file = vfs_->files[name];
    file.content = content;
    file.ever_synced = true;
  }
}

}  // namespace lockstep
