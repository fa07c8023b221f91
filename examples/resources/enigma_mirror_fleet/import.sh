# A fleet is imported by its name, whole: targets, filters and sessions.
terraform import enigma_mirror_fleet.prod prod
