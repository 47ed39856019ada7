//! From a reconfig to the configuration that it asks for.
//!
//! The order of the checks and what each is answered with are those of Apache's
//! PrepRequestProcessor. Pure: what others have to be asked for is looked at elsewhere.

use std::net::IpAddr;

use zk_wire::Code;
use zk_wire::ensemble::{Ensemble, Fault, Rules, Server, TEXT_BYTES_MAX};
use zk_wire::request::ReconfigRequest;

use crate::members::LENIENT;

/// The configuration that is asked for, without a version. `last`: the text of the newest one.
///
/// # Errors
/// BADARGUMENTS; MARSHALLINGERROR where Apache's server trips over an exception that it does not
/// expect.
pub fn next(last: &str, request: &ReconfigRequest<'_>, rules: &Rules) -> Result<Ensemble, Code> {
    let next = match &request.members {
        Some(text) => {
            let text = text.replace(',', "\n");
            Ensemble::parse(&text, rules).map_err(|error| answer(error.fault))?
        }
        None => incremental(last, request, rules)?,
    };
    let least = if rules.standalone { 2 } else { 1 };
    let fits = next.to_string().len() + 16 <= TEXT_BYTES_MAX;
    if next.voters().count() < least || !fits { Err(Code::BAD_ARGUMENTS) } else { Ok(next) }
}

/// What is an unexpected exception there is one in the notifications' thread too.
fn answer(fault: Fault) -> Code {
    if fault.stops_elections() { Code::MARSHALLING_ERROR } else { Code::BAD_ARGUMENTS }
}

fn incremental(last: &str, request: &ReconfigRequest<'_>, rules: &Rules) -> Result<Ensemble, Code> {
    let mut next = Ensemble::parse(last, &LENIENT).map_err(|_| Code::BAD_ARGUMENTS)?;
    if next.hierarchical {
        return Err(Code::BAD_ARGUMENTS);
    }
    for leaving in items(request.leaving.as_deref(), ',') {
        let sid: i64 = leaving.parse().map_err(|_| Code::MARSHALLING_ERROR)?;
        next.servers.remove(&sid);
    }
    for joining in items(request.joining.as_deref(), ',') {
        let [key, line] = items(Some(joining), '=')[..] else { return Err(Code::BAD_ARGUMENTS) };
        let sid = key.rsplit('.').next().unwrap_or(key);
        let sid: i64 = sid.parse().map_err(|_| Code::MARSHALLING_ERROR)?;
        let server = Server::parse(line, rules).map_err(answer)?;
        let known = (0..i64::MAX).contains(&sid);
        let others = next.servers.iter().filter(|(other, _)| **other != sid);
        let mut taken =
            others.flat_map(|(_, other)| places(other)).filter(|(host, _)| !is_special(host));
        let own = places(&server);
        if !known || server.client.is_none() || taken.any(|place| own.contains(&place)) {
            return Err(Code::BAD_ARGUMENTS);
        }
        next.servers.insert(sid, server);
    }
    Ok(next)
}

/// What stands between separators, without blanks around it and without what is empty.
fn items(text: Option<&str>, separator: char) -> Vec<&str> {
    let items = text.unwrap_or("").split(separator).map(str::trim);
    items.filter(|item| !item.is_empty()).collect()
}

/// Everywhere that a server listens.
fn places(server: &Server) -> Vec<(&str, u16)> {
    let peers = server.addresses.iter().flat_map(|address| {
        let host = address.host.as_str();
        [(host, address.quorum_port), (host, address.election_port)]
    });
    let clients = server.client.iter().chain(&server.secure_client);
    peers.chain(clients.map(|client| (client.host.as_str(), client.port))).collect()
}

/// Whether a host is another one for each server that says it.
fn is_special(host: &str) -> bool {
    let special = |ip: IpAddr| ip.is_unspecified() || ip.is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(special)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    const LAST: &str = "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant\n\
                        server.3=c:1:2:participant\nversion=100000000";
    const RULES: Rules =
        Rules { standalone: true, several_addresses: false, secure_clients: false };

    fn asked(joining: &str, leaving: &str, members: Option<&str>) -> Result<String, Code> {
        let some = |text: &str| (!text.is_empty()).then(|| Cow::Owned(text.to_owned()));
        let request = ReconfigRequest {
            joining: some(joining),
            leaving: some(leaving),
            members: members.map(|text| Cow::Owned(text.to_owned())),
            config_id: -1,
        };
        let next = next(LAST, &request, &RULES)?;
        let text = next.to_string();
        Ok(text.rsplit_once("\nversion=").expect("a version is last").0.replace('\n', " "))
    }

    #[test]
    fn servers_join_leave_and_change() {
        assert_eq!(
            asked("server.4=d:1:2;3, 2=b:1:2:OBSERVER;b:9", "3, 77", None),
            Ok("server.1=a:1:2:participant;0.0.0.0:3 server.2=b:1:2:observer;b:9 \
                server.4=d:1:2:participant;0.0.0.0:3"
                .to_owned())
        );
        // Who leaves and joins at once has moved.
        assert!(asked("server.3=e:1:2;3", "3", None).unwrap().contains("server.3=e:1:2"));
        assert!(asked("server.4=127.0.0.1:1:2;3,server.5=localhost:1:2;3", "", None).is_ok());
    }

    #[test]
    fn the_whole_list_may_be_given() {
        let text = "server.1=a:1:2,server.7=g:1:2\nversion=5";
        let list = "server.1=a:1:2:participant server.7=g:1:2:participant";
        assert_eq!(asked("server.9=ignored", "1", Some(text)), Ok(list.to_owned()));
        let groups = "server.1=a:1:2,server.2=b:1:2,group.1=1:2";
        assert!(asked("", "", Some(groups)).unwrap().ends_with("weight.1=1 weight.2=1"));
    }

    /// Goal: each fault has the answer that an Apache server gives.
    #[test]
    fn faults_are_answered_as_apaches_servers_do() {
        for (joining, leaving, expected) in [
            ("server.4=d:1:2", "", Code::BAD_ARGUMENTS),
            ("server.4=d:1;3", "", Code::BAD_ARGUMENTS),
            ("server.4=d:1:2:king;3", "", Code::BAD_ARGUMENTS),
            ("server.4=d:1:1;3", "", Code::BAD_ARGUMENTS),
            ("server.4=d:1:2;3;4", "", Code::BAD_ARGUMENTS),
            ("server.4=d:1:2|e:1:2;3", "", Code::BAD_ARGUMENTS),
            ("server.4", "", Code::BAD_ARGUMENTS),
            ("server.4=d:1:2;3=x", "", Code::BAD_ARGUMENTS),
            ("server.4=a:1:5;3", "", Code::BAD_ARGUMENTS),
            ("server.x=d:1:2;3", "", Code::MARSHALLING_ERROR),
            ("", "two", Code::MARSHALLING_ERROR),
            ("", "2,3", Code::BAD_ARGUMENTS),
            ("", "1,2,3", Code::BAD_ARGUMENTS),
        ] {
            assert_eq!(asked(joining, leaving, None), Err(expected), "+{joining} -{leaving}");
        }
        for (members, expected) in [
            ("", Code::BAD_ARGUMENTS),
            ("server.1=a:1:2", Code::BAD_ARGUMENTS),
            ("server.1=a:1:2,server.2=b:1", Code::BAD_ARGUMENTS),
            ("server.1=a:1:2,server.2=b:1:2,clientPort=3", Code::BAD_ARGUMENTS),
            ("server.1=a:1:2,server.2=b:1:2:observer", Code::MARSHALLING_ERROR),
            ("server.one=a:1:2,server.2=b:1:2", Code::MARSHALLING_ERROR),
        ] {
            assert_eq!(asked("", "", Some(members)), Err(expected), "{members}");
        }
    }

    #[test]
    fn a_hierarchical_ensemble_is_changed_as_a_whole_only() {
        let last = "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1:2\nversion=5";
        let request = ReconfigRequest {
            joining: None,
            leaving: Some(Cow::Borrowed("9")),
            members: None,
            config_id: -1,
        };
        assert_eq!(next(last, &request, &RULES).unwrap_err(), Code::BAD_ARGUMENTS);
    }
}
