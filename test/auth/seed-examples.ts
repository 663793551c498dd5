/** The three examples of Icecast's own guide to its authentication, word for word in YAML. */

export const globalYaml = `authentication:
  - type: static
    allow_all: "*"
    options:
      username: admin
      password: hackme
  - type: static
    allow_web: "*"
    deny_admin: "*"
    options:
      username: listener
      password: salad
  - type: anonymous
    deny_all: "*"
`;

export const streamYaml = `streams:
  /example1.ogg:
    authentication:
      - type: static
        allow_web: "*"
        options:
          username: friend
          password: wine
`;

/** The guide's listener has no name: an imported one has its address. */
export const listenerYaml = (name: string): string => `listeners:
  ${name}:
    authentication:
      - type: anonymous
        match_admin: "*"
        nomatch_web: "*"
        deny_all: "*"
`;
