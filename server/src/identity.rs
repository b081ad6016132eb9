//! The node's key: an Ed25519 pair in the data folder. The node's id is the
//! hash of its public half, so the key is the node.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use ed25519_dalek::{Signer, SigningKey, Verifier, VerifyingKey};
use wire::{Hello, NodeId, PEER_PROTOCOL_VERSION, Proof, signed_text};

const KEY_FILE: &str = "node.key";
const MACHINE_FILE: &str = "machine";
const LOCK_FILE: &str = "lock";

/// Who this node is, and the proof of it.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
    /// Of this process: two that have one key differ in it.
    incarnation: u64,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the secret half.
        write!(f, "Identity({})", self.node_id())
    }
}

/// A data folder that no other node uses, for as long as this lives.
#[derive(Debug)]
pub struct LockedFolder {
    _lock: File,
}

/// Locks a data folder, making it when it is not there.
pub fn lock_folder(folder: &Path) -> anyhow::Result<LockedFolder> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))?;
    let path = folder.join(LOCK_FILE);
    let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(LockedFolder { _lock: lock }),
        Err(TryLockError::WouldBlock) => bail!(
            "another node uses the data folder {}: stop it, or give this one a folder of its own with --data-dir",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

impl Identity {
    /// The key of a data folder; a new folder gets a new key, and so does one that was copied to another
    /// machine.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        Self::load_on(folder, machine_id().as_deref())
    }

    fn load_on(folder: &Path, machine: Option<&str>) -> anyhow::Result<Self> {
        let path = folder.join(KEY_FILE);
        if let Some(machine) = machine {
            leave_key_of_another_machine(folder, machine)?;
        }
        let key = match fs::read(&path) {
            Ok(bytes) => {
                let secret: [u8; 32] = bytes.try_into().ok().with_context(|| {
                    format!(
                        "{} is damaged: move it away to get a new identity",
                        path.display()
                    )
                })?;
                SigningKey::from_bytes(&secret)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => create_key(&path)?,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Ok(Self {
            key,
            incarnation: u64::from_le_bytes(random_bytes()?),
        })
    }

    /// What tells this process from another one with the same key.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The id that belongs to the key.
    pub fn node_id(&self) -> NodeId {
        NodeId::of_public_key(&self.key.verifying_key().to_bytes())
    }

    /// The first message of a link, with a fresh challenge.
    pub fn hello(&self) -> anyhow::Result<Hello> {
        Ok(Hello {
            protocol: PEER_PROTOCOL_VERSION,
            public_key: self.key.verifying_key().to_bytes(),
            challenge: random_bytes()?,
            incarnation: self.incarnation,
        })
    }

    /// Proves that this node holds the key of `own`.
    pub fn prove(&self, own: &Hello, other: &Hello) -> Proof {
        Proof {
            signature: self.key.sign(&signed_text(own, other)).to_bytes().to_vec(),
        }
    }
}

fn create_key(path: &Path) -> anyhow::Result<SigningKey> {
    let key = SigningKey::from_bytes(&random_bytes()?);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    Ok(key)
}

/// What the system calls this machine, where it has a name for it.
fn machine_id() -> Option<String> {
    let known = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
    let mut ids = known
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    ids.find_map(|id| {
        let id = id.trim();
        // `uninitialized` stands there until the first start of an image has ended.
        (id.len() >= 32).then(|| id.to_owned())
    })
}

/// Thirty laptops may start from one disk image. A folder that wakes on another machine than it slept on keeps
/// its jobs, and is another node from then on.
fn leave_key_of_another_machine(folder: &Path, machine: &str) -> anyhow::Result<()> {
    let note = folder.join(MACHINE_FILE);
    // The id itself is nobody's business.
    let mark = blake3::derive_key("matmesh machine of a data folder 1", machine.as_bytes());
    let mark = mark
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    // What a power cut left of it says nothing.
    let before = fs::read_to_string(&note).ok();
    let before = before.filter(|before| before.len() == mark.len());
    if before.as_deref() == Some(mark.as_str()) {
        return Ok(());
    }
    let key = folder.join(KEY_FILE);
    if before.is_some() && key.exists() {
        let aside = folder.join(format!("{KEY_FILE}.of-another-machine"));
        fs::rename(&key, &aside).with_context(|| format!("cannot move {} aside", key.display()))?;
        tracing::warn!(
            "the data folder {} comes from another machine: this node gets a key of its own, and keeps the \
             jobs. The other machine's key is in {}",
            folder.display(),
            aside.display()
        );
    }
    // Nothing depends on it yet: a full disk is no reason not to start.
    if let Err(error) = write_whole(folder, &note, mark.as_bytes()) {
        tracing::warn!(%error, "cannot note in {} on which machine it is", folder.display());
    }
    Ok(())
}

/// Writes a file so that all of it is there or the one before.
fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Whether `proof` shows that the other side holds the key of its `Hello`.
pub fn is_proved(other: &Hello, own: &Hello, proof: &Proof) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(&other.public_key) else {
        return false;
    };
    let Ok(signature) = ed25519_dalek::Signature::from_slice(&proof.signature) else {
        return false;
    };
    key.verify(&signed_text(other, own), &signature).is_ok()
}

/// Random bytes from the system.
pub fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_identity() {
        let folder = tempfile::tempdir().unwrap();
        let first = Identity::load(folder.path()).unwrap().node_id();
        assert_eq!(Identity::load(folder.path()).unwrap().node_id(), first);
    }

    #[test]
    fn a_proof_holds_only_for_its_signer_and_its_challenges() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, two] = folders
            .each_ref()
            .map(|folder| Identity::load(folder.path()).unwrap());
        let (hello_one, hello_two) = (one.hello().unwrap(), two.hello().unwrap());
        let proof = one.prove(&hello_one, &hello_two);
        assert!(is_proved(&hello_one, &hello_two, &proof));
        assert!(!is_proved(&hello_two, &hello_one, &proof));
        assert!(!is_proved(&hello_one, &two.hello().unwrap(), &proof));
    }

    #[test]
    fn a_folder_that_wakes_on_another_machine_is_another_node_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let id = |machine| Identity::load_on(folder.path(), machine).unwrap().node_id();
        // From a version that did not note it, and where the system has no name for the machine.
        let first = id(None);
        assert_eq!(id(Some("one")), first);
        assert_eq!(id(Some("one")), first);
        let second = id(Some("another"));
        assert_ne!(second, first);
        assert_eq!(id(Some("another")), second);
        assert_eq!(id(None), second);
    }

    #[test]
    fn two_processes_with_one_key_differ() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = [(); 2].map(|()| Identity::load(folder.path()).unwrap());
        assert_ne!(one.incarnation(), two.incarnation());
    }

    #[test]
    fn a_second_node_on_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _held = lock_folder(folder.path()).unwrap();
        assert!(lock_folder(folder.path()).is_err());
    }
}
