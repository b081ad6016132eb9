//! The node's key: an Ed25519 pair in the data folder. The node's id is the
//! hash of its public half, so the key is the node.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use ed25519_dalek::{Signer, SigningKey, Verifier, VerifyingKey};
use wire::{Hello, NodeId, PROTOCOL_VERSION, Proof, signed_text};

const KEY_FILE: &str = "node.key";
const LOCK_FILE: &str = "lock";

/// Who this node is, and the proof of it.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
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
    /// The key of a data folder; a new folder gets a new key.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(KEY_FILE);
        match fs::read(&path) {
            Ok(bytes) => {
                let secret: [u8; 32] = bytes.try_into().ok().with_context(|| {
                    format!(
                        "{} is damaged: move it away to get a new identity",
                        path.display()
                    )
                })?;
                Ok(Self {
                    key: SigningKey::from_bytes(&secret),
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(&path),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn create(path: &Path) -> anyhow::Result<Self> {
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
        Ok(Self { key })
    }

    /// The id that belongs to the key.
    pub fn node_id(&self) -> NodeId {
        NodeId::of_public_key(&self.key.verifying_key().to_bytes())
    }

    /// The first message of a link, with a fresh challenge.
    pub fn hello(&self) -> anyhow::Result<Hello> {
        Ok(Hello {
            protocol: PROTOCOL_VERSION,
            public_key: self.key.verifying_key().to_bytes(),
            challenge: random_bytes()?,
        })
    }

    /// Proves that this node holds the key of `own`.
    pub fn prove(&self, own: &Hello, other: &Hello) -> Proof {
        Proof {
            signature: self.key.sign(&signed_text(own, other)).to_bytes().to_vec(),
        }
    }
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
    fn a_second_node_on_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _held = lock_folder(folder.path()).unwrap();
        assert!(lock_folder(folder.path()).is_err());
    }
}
