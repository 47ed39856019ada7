//! Password digests of the `digest` scheme, one pure function per algorithm.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::digest::Digest;
use zk_core::config::PasswordDigest;

/// The function for a name of Java's `MessageDigest`, in any case; `None` for a name we lack.
pub fn by_name(name: &str) -> Option<PasswordDigest> {
    Some(match name.to_ascii_uppercase().as_str() {
        "SHA1" | "SHA-1" | "SHA" => of::<sha1::Sha1>,
        "MD5" => of::<md5::Md5>,
        "SHA-224" | "SHA224" => of::<sha2::Sha224>,
        "SHA-256" | "SHA256" => of::<sha2::Sha256>,
        "SHA-384" | "SHA384" => of::<sha2::Sha384>,
        "SHA-512" | "SHA512" => of::<sha2::Sha512>,
        "SHA-512/224" => of::<sha2::Sha512_224>,
        "SHA-512/256" => of::<sha2::Sha512_256>,
        "SHA3-224" => of::<sha3::Sha3_224>,
        "SHA3-256" => of::<sha3::Sha3_256>,
        "SHA3-384" => of::<sha3::Sha3_384>,
        "SHA3-512" => of::<sha3::Sha3_512>,
        _ => return None,
    })
}

fn of<D: Digest>(user_and_password: &[u8]) -> String {
    STANDARD.encode(D::digest(user_and_password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_javas() {
        let digest = |name: &str| by_name(name).unwrap()(b"super:test");
        // The pair that Apache's documentation and tests use.
        assert_eq!(digest("SHA1"), "D/InIHSb7yEEbrWz8b9l71RjZJU=");
        assert_eq!(digest("sha-1"), digest("SHA1"));
        assert_eq!(digest("MD5").len(), 24);
        assert_eq!(digest("SHA-256").len(), 44);
        assert_eq!(by_name("SHA-256").unwrap()(b""), {
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        });
        assert!(by_name("SHA-257").is_none());
    }
}
