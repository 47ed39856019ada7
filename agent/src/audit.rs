//! The audit log: one line for each change, in the words of Apache's server, through `log` with the
//! target `audit`.
//!
//! Writes lines; decides nothing. What is told is made in the core.

use std::fmt::Write;

use log::Level;
use nix::unistd::{Uid, User};
use zk_core::audit::{Audit, By};

use crate::report::TABBED_TARGET as TARGET;

/// Writes the lines.
#[derive(Debug)]
pub struct AuditLog {
    on: bool,
    /// Who runs the server.
    user: String,
}

impl AuditLog {
    /// The log, or one that writes nothing.
    pub fn new(on: bool) -> AuditLog {
        let user = on.then(|| User::from_uid(Uid::current()).ok().flatten()).flatten();
        let user = user.map_or_else(|| Uid::current().to_string(), |user| user.name);
        AuditLog { on, user }
    }

    /// A change.
    pub fn change(&self, audit: &Audit) {
        let level = if audit.success { Level::Info } else { Level::Error };
        log::log!(target: TARGET, level, "audit: {}", self.line(audit));
    }

    /// The server serves.
    pub fn started(&self) {
        self.server(Level::Info, "serverStart", "success");
    }

    /// The server could not be started.
    pub fn start_failed(&self) {
        self.server(Level::Error, "serverStart", "failure");
    }

    /// The server was told to stop.
    pub fn stopping(&self) {
        self.server(Level::Info, "serverStop", "invoked");
    }

    fn server(&self, level: Level, operation: &str, result: &str) {
        if self.on {
            let user = &self.user;
            log::log!(
                target: TARGET,
                level,
                "audit: user={user}\toperation={operation}\tresult={result}"
            );
        }
    }

    fn line(&self, audit: &Audit) -> String {
        let mut line = format!("session=0x{:x}", audit.session);
        match &audit.by {
            By::Client(users, address) => {
                if !users.is_empty() {
                    field(&mut line, "user", users);
                }
                field(&mut line, "ip", &address.to_string());
            }
            By::Server => field(&mut line, "user", &self.user),
        }
        field(&mut line, "operation", audit.operation);
        let optional = [
            ("znode", audit.path.as_deref()),
            ("znode_type", audit.kind),
            ("acl", audit.acl.as_deref()),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                field(&mut line, key, value);
            }
        }
        field(&mut line, "result", if audit.success { "success" } else { "failure" });
        line
    }
}

/// A value that a client chose can't begin a field of its own.
fn field(line: &mut String, key: &str, value: &str) {
    let _ = write!(line, "\t{key}=");
    line.extend(value.chars().filter(|c| !c.is_control()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_a_genuine_server() {
        let log = AuditLog { on: true, user: "zk".to_owned() };
        let mut audit = Audit {
            session: 0x1_0000,
            by: By::Client("10.0.0.1,ann".to_owned(), "10.0.0.1".parse().unwrap()),
            operation: "create",
            path: Some("/a\tresult=success\n".to_owned()),
            kind: Some("persistent"),
            acl: None,
            success: false,
        };
        assert_eq!(
            log.line(&audit),
            "session=0x10000\tuser=10.0.0.1,ann\tip=10.0.0.1\toperation=create\t\
             znode=/aresult=success\tznode_type=persistent\tresult=failure"
        );
        audit = Audit::ephemeral(1, "/e");
        assert_eq!(
            log.line(&audit),
            "session=0x1\tuser=zk\toperation=ephemeralZNodeDeletionOnSessionCloseOrExpire\t\
             znode=/e\tresult=success"
        );
    }
}
