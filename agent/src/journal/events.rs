//! The events that an operator meets: a 128-bit id for each, by how its line begins. The ids are those
//! of systemd/zk-agent.catalog and systemd/zk-agent.zh_CN.catalog, which explain them.
//!
//! An id is for ever: a line may be worded anew, and what it stands for may not change.

/// Id and beginning of the line, behind `core: ` where it comes from the core.
pub const EVENTS: &[(u128, &str)] = &[
    (0x4704432b_19d95a17_98d37477_21e3642d, "start: serving"),
    (0x4f8be54d_75f156f7_8f8f24e3_54813d69, "start: failed"),
    (0x584135b3_f36755ab_8ba8936a_8b8813cc, "start: stopped"),
    (0x30fca7bf_716e56ad_bf734c8e_f559ad71, "server: stopping"),
    (0x18951eef_5db55311_93096d7b_b589eda4, "settings: reloaded"),
    (0x14202f89_77ea5544_b9e9efcb_f982d1bb, "settings: needs_restart"),
    (0x6425120b_43c65e08_a98d2398_1f0fd9cd, "settings: reload_refused"),
    (0xb964b50f_77ae56cd_96bfbbd3_7182ac17, "server: stalled"),
    (0x9b0e7c8d_8dd8594c_882a80ee_f7b47ec6, "server: snapshot_failed"),
    (0x41e75321_15c45567_9caaf7f3_b7ba1e7d, "snapshot: taken"),
    (0xa98a1611_75295444_a61413c9_07199775, "disk: slow_sync"),
    (0x7590d178_3a3458a0_99b28073_5097c79c, "disk: no room"),
    (0x1df95996_9d2f53c9_89e87d0e_635624b1, "disk: there is room"),
    (0xdea397f5_eb685837_a0493ce7_02be0052, "the log has no room"),
    (0xf197279a_ca8351f1_b1c56178_2729b710, "the log has room again"),
    (0x99961130_037d5559_acdc4659_a4d4716c, "disk: recovered"),
    (0x6f08eefa_33015c6a_8e282e3f_98ce2d21, "disk: digest_mismatch"),
    (0x1a6f6469_9e1d5360_a3a66363_de379a8e, "ensemble: digest_mismatch"),
    (0xa45f9b1a_fa1c5d1b_9ed98ae2_9712c5b6, "ensemble: looking for a leader"),
    (0x79f46137_8cb4527c_a08f914d_d9a15f49, "ensemble: waiting"),
    (0x20982e5b_0d6651ab_9d6b41ce_ae7a4620, "ensemble: elected"),
    (0xf191222b_eff0546c_b46045e9_6a846541, "ensemble: leading"),
    (0xad183c18_01555f6c_81e046c6_92759d6b, "ensemble: following"),
    (0x4c056577_2d3f53d7_9d1e355f_403b1df8, "ensemble: handing over"),
    (0x1764f990_0f1f5f2f_b6e682b9_da26bfa4, "ensemble: read-only zxid"),
    (0xd229ebef_ed3b5a18_bb70ec17_252a0cea, "ensemble: configuration_in_force"),
    (0x999a1daf_ef735bb8_8595934d_59ac2e50, "session: expired"),
    (0xc731f073_c7e95a53_8a311d0e_19bb6d3c, "quota: a soft limit"),
    (0xb39834cb_fe6b5150_8d64e12d_3523be35, "net: overflow"),
    (0xc44d29e1_194f53d1_b2be3ac2_cf8fcae2, "peers: bind_failed"),
    (0xde59eeb4_589158ab_9c67137b_e8b97389, "server: client_port_refused"),
    (0xfab87348_2ca85889_a2d08c69_ffb04e27, "sockets: differs"),
    (0x5326c3c5_cf1f533a_aa1db436_ad1e023c, "sockets: unused"),
    (0x6463b083_7bed58ee_83d7a47b_cddf110f, "systemd: watchdog_withheld"),
    (0x1f1024ae_972a5f92_9230de1a_8a283601, "memory: scarce"),
    (0xd841b8c2_de8450f4_84862889_45a11033, "memory: limited"),
    (0x62c0733f_eb8f5200_8ebba5d2_e18578ad, "report: lines_lost"),
    (0x738e994b_00dc5903_b08d6fc4_260b08e0, "panic: place"),
    (0x1653b82b_f4395f3d_9bb1bbaf_8b172919, "audit:"),
];

/// The id of a line, if it is one of an event.
pub fn id_of(line: &str) -> Option<u128> {
    let found = EVENTS.iter().find(|(_, begins)| {
        // "disk: no room" is not the beginning of "disk: no roomier disk".
        line.strip_prefix(begins).is_some_and(|rest| {
            let next = rest.bytes().next();
            next.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_')
        })
    });
    found.map(|(id, _)| *id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn lines_have_the_id_of_their_event() {
        assert_eq!(id_of("disk: slow_sync took_ms=7 syncs=1"), id_of("disk: slow_sync"));
        assert!(id_of("disk: slow_sync took_ms=7 syncs=1").is_some());
        assert_eq!(id_of("disk: slow_synchronous"), None);
        assert_eq!(id_of("net: something"), None);
    }

    #[test]
    fn no_two_events_are_one() {
        let ids: BTreeSet<u128> = EVENTS.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), EVENTS.len());
        for (id, begins) in EVENTS {
            assert_eq!(id_of(begins), Some(*id), "{begins}: another one begins like it");
        }
    }
}
