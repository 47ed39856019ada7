//! The four-letter words and which of them are answered.

use std::fmt;

macro_rules! words {
    ($($name:ident $text:literal $what:literal,)*) => {
        /// A four-letter word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Word {
            $(#[doc = $what] $name,)*
            /// The bytes that telnet sends at an interrupt. Known and never enabled.
            Telnet,
        }

        impl Word {
            /// All words that can be enabled.
            pub const ALL: &[Word] = &[$(Word::$name,)*];

            /// The four letters.
            pub fn text(self) -> &'static str {
                match self {
                    $(Word::$name => $text,)*
                    Word::Telnet => "telnet close",
                }
            }
        }

        /// Which word the first four bytes of a connection are, if any.
        pub fn four_letter(bytes: &[u8]) -> Option<Word> {
            match std::str::from_utf8(bytes) {
                $(Ok($text) => Some(Word::$name),)*
                _ if bytes == [0xff, 0xf4, 0xff, 0xfd] => Some(Word::Telnet),
                _ => None,
            }
        }
    };
}

words! {
    Conf "conf" "Settings.",
    Cons "cons" "Connections, in full.",
    Crst "crst" "Resets the statistics of connections.",
    Dirs "dirs" "Sizes of the directories.",
    Dump "dump" "Sessions and ephemerals.",
    Envi "envi" "The environment.",
    Gtmk "gtmk" "The trace mask.",
    Hash "hash" "Digests of the tree.",
    Isro "isro" "Whether the server is read-only.",
    Mntr "mntr" "Figures for monitoring.",
    Ruok "ruok" "Whether the server lives.",
    Srst "srst" "Resets the statistics of the server.",
    Srvr "srvr" "The server.",
    Stat "stat" "The server and its connections.",
    Stmk "stmk" "Sets the trace mask.",
    Wchc "wchc" "Watches by session.",
    Wchp "wchp" "Watches by path.",
    Wchs "wchs" "Watches, counted.",
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The words that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whitelist {
    bits: u32,
}

impl Whitelist {
    /// Reads a comma list; `*` stands for all. `srvr` is always in. Returns the names that are no
    /// words too.
    pub fn parse(list: &str) -> (Whitelist, Vec<&str>) {
        let mut whitelist = Whitelist::default();
        let mut unknown = Vec::new();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match (name, four_letter(name.as_bytes())) {
                ("*", _) => Word::ALL.iter().for_each(|&word| whitelist.enable(word)),
                (_, Some(word)) => whitelist.enable(word),
                (_, None) => unknown.push(name),
            }
        }
        (whitelist, unknown)
    }

    /// Adds a word. The telnet bytes stay out.
    pub fn enable(&mut self, word: Word) {
        if word != Word::Telnet {
            self.bits |= 1 << word as u32;
        }
    }

    /// Whether a word is answered.
    pub fn allows(&self, word: Word) -> bool {
        self.bits & (1 << word as u32) != 0
    }
}

impl Default for Whitelist {
    fn default() -> Whitelist {
        Whitelist { bits: 1 << Word::Srvr as u32 }
    }
}

impl fmt::Display for Whitelist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Word::ALL.iter().filter(|&&word| self.allows(word)).map(|word| word.text());
        f.write_str(&names.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_by_their_bytes() {
        assert_eq!(Word::ALL.len(), 18);
        for &word in Word::ALL {
            assert_eq!(four_letter(word.text().as_bytes()), Some(word));
        }
        assert_eq!(four_letter(&[0xff, 0xf4, 0xff, 0xfd]), Some(Word::Telnet));
        for bytes in [&b"ruo"[..], b"RUOK", b"ruok\n", &[0, 0, 0, 45], &[0xff; 4]] {
            assert_eq!(four_letter(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_list_opens_words() {
        assert!(Whitelist::default().allows(Word::Srvr));
        assert!(!Whitelist::default().allows(Word::Ruok));
        let (list, unknown) = Whitelist::parse(" ruok, mntr ,,nope");
        assert!(list.allows(Word::Ruok) && list.allows(Word::Mntr) && list.allows(Word::Srvr));
        assert!(!list.allows(Word::Dump));
        assert_eq!(unknown, ["nope"]);
        assert_eq!(list.to_string(), "mntr,ruok,srvr");
        let (all, unknown) = Whitelist::parse("*");
        assert!(Word::ALL.iter().all(|&word| all.allows(word)));
        assert!(!all.allows(Word::Telnet));
        assert!(unknown.is_empty());
    }
}
