//! Permissions and identities: acl get and set, whoami, addauth.

use serde_json::{Map, Value, json};

use crate::acls;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::walk;

/// Shows and sets ACLs.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum AclCommand {
    /// Print the ACL of a znode
    Get(GetAcl),
    /// Set the ACL of a znode
    Set(SetAcl),
}

/// Prints the ACL of a znode.
#[derive(Clone, Debug, clap::Args)]
pub struct GetAcl {
    /// The znode
    pub path: String,
    /// Of everything below too
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Print the stat too
    #[arg(short = 's', long, conflicts_with = "recursive")]
    pub stat: bool,
}

/// Sets the ACL of a znode.
#[derive(Clone, Debug, clap::Args)]
pub struct SetAcl {
    /// The znode
    pub path: String,
    /// scheme:id:perms,... with perms of c, d, r, w and a
    pub acl: String,
    /// Of everything below too
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// The version that the ACL must have
    #[arg(short = 'v', long, default_value_t = -1, value_name = "VERSION", hide_default_value = true, allow_negative_numbers = true)]
    pub version: i32,
    /// Print the stat
    #[arg(short = 's', long, conflicts_with = "recursive")]
    pub stat: bool,
}

/// Adds an identity to the session; useful in the shell.
#[derive(Clone, Debug, clap::Args)]
pub struct AddAuth {
    /// digest, or another scheme of the server
    pub scheme: String,
    /// For digest user:password
    #[arg(default_value = "")]
    pub auth: String,
}

/// acl
pub fn run(ctx: &mut Context<'_>, command: &AclCommand) -> Result<()> {
    match command {
        AclCommand::Get(args) => get(ctx, args),
        AclCommand::Set(args) => set(ctx, args),
    }
}

/// acl get, getAcl
pub fn get(ctx: &mut Context<'_>, args: &GetAcl) -> Result<()> {
    let path = ctx.path(&args.path)?;
    let conn = ctx.conn()?;
    if args.recursive {
        let mut rows = Vec::new();
        for path in walk::paths(&conn, &path)? {
            ctx.go_on()?;
            let (acl, _) = conn.get_acl(&path)?;
            rows.push(vec![json!(path), acls::to_json(&acl)]);
        }
        return ctx.printer.rows(&["path", "acl"], rows);
    }
    let (acl, stat) = conn.get_acl(&path)?;
    if ctx.printer.json() {
        let mut object = Map::new();
        object.insert("path".to_owned(), json!(path));
        object.insert("acl".to_owned(), acls::to_json(&acl));
        object.insert("aversion".to_owned(), json!(stat.aversion));
        return ctx.printer.value(&Value::Object(object));
    }
    ctx.printer.list(acl.iter().map(|acl| json!(acls::entry(acl))).collect())?;
    if args.stat { crate::node::print_stat(ctx, &stat) } else { Ok(()) }
}

/// acl set, setAcl
pub fn set(ctx: &mut Context<'_>, args: &SetAcl) -> Result<()> {
    let path = ctx.path(&args.path)?;
    let acl = acls::parse(&args.acl)?;
    let conn = ctx.conn()?;
    if !args.recursive {
        let stat = conn.set_acl(&path, &acl, args.version)?;
        return match args.stat || ctx.printer.json() {
            true => crate::node::print_stat(ctx, &stat),
            false => Ok(()),
        };
    }
    if args.version != -1 {
        return Err(Failure::usage("acl set: -v and -R exclude each other; leave out -v"));
    }
    let paths = walk::paths(&conn, &path)?;
    let progress = Progress::start(ctx.shows_progress(), "setting ACLs", paths.len() as u64);
    let mut changed = 0;
    // From below, so that an ACL that shuts us out does not stand in our own way.
    for path in paths.iter().rev() {
        ctx.go_on()?;
        match conn.set_acl(path, &acl, -1) {
            Ok(_) => changed += 1,
            Err(failure) if failure.is_no_node() => {}
            Err(failure) => return Err(failure),
        }
        progress.add(1);
    }
    drop(progress);
    match ctx.printer.json() {
        true => ctx.printer.value(&json!({ "changed": changed })),
        false => Ok(()),
    }
}

/// whoami
pub fn who_am_i(ctx: &mut Context<'_>) -> Result<()> {
    let list = ctx.conn()?.who_am_i()?;
    let rows = list.into_iter().map(|(scheme, user)| vec![json!(scheme), json!(user)]);
    ctx.printer.rows(&["scheme", "user"], rows.collect())
}

/// addauth
pub fn add_auth(ctx: &mut Context<'_>, args: &AddAuth) -> Result<()> {
    ctx.conn()?.auth(&args.scheme, args.auth.as_bytes())
}
